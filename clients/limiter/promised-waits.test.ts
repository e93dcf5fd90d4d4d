import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BucketState } from "../../services/limiter/rules/bucket-state.ts";
import { decide } from "../../services/limiter/rules/decide.ts";
import type { Policy } from "../../services/limiter/rules/policy.ts";
import { PromisedWaits } from "./promised-waits.ts";

const PER_SECOND: Policy = {
  name: "per-second",
  key: "address",
  mode: "enforce",
  blockForMs: 0,
  algorithm: "token_bucket",
  limit: 60,
  periodMs: 60_000,
  burst: 60,
};
const LOCKOUT: Policy = { ...PER_SECOND, name: "lockout", limit: 5, burst: 5, blockForMs: 60_000 };
const PLACES: Policy = { ...PER_SECOND, name: "places", algorithm: "concurrency", limit: 25 };

describe("promise()", () => {
  test("gives each of those refused together a moment of its own", () => {
    const waits = setup();
    const told = Array.from({ length: 4 }, () => waits.promise(bucket(), 500, 0));
    expect(told).toEqual([500, 1_500, 2_500, 3_500]);
    expect(waits.promise(bucket(), 500, 3_000), "while one is due").toBe(1_500);
    expect(waits.promise(bucket(), 500, 10_000), "when all are").toBe(500);
  });

  test("waits for as much as a request costs, and no longer than the bucket takes to be full", () => {
    const waits = setup();
    expect(waits.promise(bucket({ cost: 50 }), 40_000, 0)).toBe(40_000);
    expect(waits.promise(bucket(), 500, 0)).toBe(41_000);
    for (let refused = 0; refused < 100; refused++) waits.promise(bucket(), 500, 0);
    expect(waits.promise(bucket(), 500, 0)).toBe(60_000);
  });

  test("lets as many come when a block ends as can pass then", () => {
    const waits = setup();
    const blocked = () => waits.promise(bucket({ policy: "lockout" }), 60_000, 0);
    expect(Array.from({ length: 5 }, blocked)).toEqual(new Array(5).fill(60_000));
  });

  test("knows the keys that share a bucket, and no others", () => {
    const waits = setup();
    const keys = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1"];
    const told = keys.map((key) => waits.promise(bucket({ key }), 500, 0));
    expect(told).toEqual([500, 1_500, 500, 500]);
    expect(waits.promise(bucket({ doubtful: true }), 500, 0)).toBe(500);
  });

  test("promises nothing where places are held, or where the rule is not known", () => {
    const waits = setup();
    for (const policy of ["places", "unknown"]) {
      const told = [0, 0].map(() => waits.promise(bucket({ policy }), 500, 0));
      expect(told, policy).toEqual([500, 500]);
    }
  });

  test("does not hold promises for ever when the clock steps back", () => {
    const waits = setup();
    waits.promise(bucket(), 500, 1_000_000_000);
    expect(waits.promise(bucket(), 500, 0)).toBe(500);
  });
});

test("whoever obeys a promised wait is let in, however many were refused together", () => {
  const request = fc.record({ atMs: fc.nat(999), cost: fc.integer({ min: 1, max: 3 }) });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 19 }), (requests) => {
      const waits = setup();
      let state: BucketState | undefined = decide(PER_SECOND, undefined, 0, 60).state;
      const obeying = requests
        .sort((a, b) => a.atMs - b.atMs)
        .map(({ atMs, cost }) => {
          const { retryAfterMs } = decide(PER_SECOND, state, atMs, cost);
          return { comesAtMs: atMs + waits.promise(bucket({ cost }), retryAfterMs, atMs), cost };
        });
      for (const { comesAtMs, cost } of obeying.sort((a, b) => a.comesAtMs - b.comesAtMs)) {
        const ruling = decide(PER_SECOND, state, comesAtMs, cost);
        expect(ruling.allowed, `at ${comesAtMs}`).toBe(true);
        state = ruling.state;
      }
    }),
  );
});

function bucket(change: { policy?: string; key?: string; cost?: number; doubtful?: boolean } = {}) {
  return { policy: "per-second", key: "192.0.2.1", ...change };
}

function setup(): PromisedWaits {
  const policies = new Map([PER_SECOND, LOCKOUT, PLACES].map((policy) => [policy.name, policy]));
  return new PromisedWaits({ policies, ipv6PrefixBits: 64 });
}
