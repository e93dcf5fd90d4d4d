import { expect, test } from "vitest";
import type { BucketState } from "./bucket-state.ts";
import { decide, refund } from "./decide.ts";
import { markOf } from "./mark.ts";
import type { SlidingWindowPolicy } from "./policy.ts";

const policy: SlidingWindowPolicy = {
  name: "test",
  key: "text",
  mode: "enforce",
  blockForMs: 0,
  algorithm: "sliding_window",
  limit: 3,
  periodMs: 1_000,
};

test("decide() lets a charge leave with its sub-window, a period after that has ended", () => {
  const steps = [
    { atMs: 50, cost: 2, allowed: true, remaining: 1, retryAfterMs: 0, resetAfterMs: 1_050 },
    { atMs: 450, cost: 1, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1_050 },
    { atMs: 1_050, cost: 1, allowed: false, remaining: 0, retryAfterMs: 50, resetAfterMs: 450 },
    { atMs: 1_099, cost: 3, allowed: false, remaining: 0, retryAfterMs: 401, resetAfterMs: 401 },
    { atMs: 1_100, cost: 2, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1_100 },
    { atMs: 9_000, cost: 3, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1_100 },
  ];
  let state: BucketState | undefined;
  for (const { atMs, cost, ...expected } of steps) {
    const ruling = decide(policy, state, atMs, cost);
    expect(ruling, `cost ${cost} at ${atMs} ms`).toMatchObject(expected);
    state = ruling.state;
  }
});

test("decide() never admits more than the limit in any period", () => {
  const admittedAtMs: number[] = [];
  let state: BucketState | undefined;
  for (let atMs = 0; atMs < 20_000; atMs += 7) {
    const ruling = decide(policy, state, atMs, 1);
    state = ruling.state;
    admittedAtMs.push(...(ruling.allowed ? [atMs] : []));
  }
  const inPeriod = admittedAtMs.map(
    (from) => admittedAtMs.filter((at) => at >= from && at < from + 1_000).length,
  );
  expect(Math.max(...inPeriod)).toBe(3);
  expect(admittedAtMs.length).toBeGreaterThan(3 * 17);
});

test("decide() locks a ring for at most its length after the clock steps back", () => {
  const exhausted = decide(policy, undefined, 1_000_000, 3).state;
  const rejected = decide(policy, exhausted, 5_000, 1);
  expect(rejected).toMatchObject({ allowed: false, retryAfterMs: 1_100 });
  expect(decide(policy, rejected.state, 6_100, 3).allowed).toBe(true);
});

test("refund() takes from the sub-window of the charge, and nothing once that has left", () => {
  const charged = decide(policy, undefined, 50, 2).state;
  const refunded = refund(policy, charged, 1_050, { cost: 2, mark: markOf(charged) });
  expect(decide(policy, refunded, 1_050, 3).allowed).toBe(true);
  expect(refund(policy, charged, 1_100, { cost: 2, mark: markOf(charged) })).toBeUndefined();
});

test("refund() finds a charge where it counts after the period or the clock changed", () => {
  const charged = decide(policy, undefined, 50, 2).state;
  const charge = { cost: 2, mark: markOf(charged) };
  const longer = { ...policy, periodMs: 10_000 };
  const later = decide(longer, charged, 1_050, 1).state;
  const refunded = refund(longer, later, 1_050, charge);
  expect(decide(longer, refunded, 1_050, 2)).toMatchObject({ allowed: true, remaining: 0 });
  const back = decide(policy, charged, -5_000, 1).state;
  expect(decide(policy, refund(policy, back, -5_000, charge), -5_000, 2).allowed).toBe(true);
  const gone = decide(policy, back, -3_000, 3).state;
  expect(refund(policy, gone, -3_000, charge)).toBeUndefined();
});
