import { expect, test } from "vitest";
import { decide, look, refund, reset } from "./decide.ts";
import { markOf } from "./mark.ts";
import type { Policy, TokenBucketPolicy } from "./policy.ts";

const lockout: TokenBucketPolicy = {
  name: "test",
  key: "text",
  mode: "enforce",
  blockForMs: 5_000,
  algorithm: "token_bucket",
  limit: 2,
  periodMs: 1_000,
  burst: 2,
};

const base = { name: "test", key: "text", mode: "enforce", blockForMs: 0, limit: 2 } as const;
const EACH_ALGORITHM: readonly Policy[] = [
  { ...base, algorithm: "token_bucket", periodMs: 1_000, burst: 2 },
  { ...base, algorithm: "fixed_window", period: 1_000 },
  { ...base, algorithm: "sliding_window", periodMs: 1_000 },
  { ...base, algorithm: "concurrency" },
];

test("decide() rejects for the block once the last was taken, though the bucket refills", () => {
  const exhausted = decide(lockout, undefined, 0, 2);
  expect(exhausted).toMatchObject({ allowed: true, remaining: 0, resetAfterMs: 5_000 });
  expect(decide(lockout, exhausted.state, 4_999, 1)).toMatchObject({
    allowed: false,
    remaining: 0,
    retryAfterMs: 1,
  });
  expect(decide(lockout, exhausted.state, 5_000, 1)).toMatchObject({ allowed: true, remaining: 1 });
});

test("refund() lifts a block that its charge brought about", () => {
  const exhausted = decide(lockout, undefined, 0, 2).state;
  const refunded = refund(lockout, exhausted, 10, { cost: 2, mark: markOf(exhausted) });
  expect(look(lockout, refunded, 10, 2).allowed).toBe(true);
});

test("refund() leaves a block that came about without its charge", () => {
  const first = decide(lockout, undefined, 0, 1).state;
  const exhausted = decide(lockout, first, 0, 1).state;
  expect(refund(lockout, exhausted, 600, { cost: 1, mark: markOf(first) })).toBeUndefined();
});

test("decide() blocks for no longer than the policy says after the clock steps back", () => {
  const exhausted = decide(lockout, undefined, 1_000_000, 2).state;
  const rejected = decide(lockout, exhausted, 100, 1);
  expect(rejected).toMatchObject({ allowed: false, retryAfterMs: 5_000 });
  expect(decide(lockout, rejected.state, 5_100, 1).allowed).toBe(true);
});

test("decide() returns the state it was given when a rejection changes nothing", () => {
  const exhausted = decide(lockout, undefined, 0, 2).state;
  expect(decide(lockout, exhausted, 1, 1).state).toBe(exhausted);
});

test("decide() starts afresh when another algorithm wrote the state", () => {
  const window = { ...lockout, algorithm: "fixed_window", limit: 9, period: 1_000 } as const;
  const other = decide(window, undefined, 0, 8).state;
  expect(decide(lockout, other, 0, 1)).toMatchObject({ allowed: true, remaining: 1 });
});

test("refund() gives nothing back of a bucket that was reset since, whatever was charged then", () => {
  for (const policy of EACH_ALGORITHM) {
    const taken = decide(policy, undefined, 1_000, 1, lease("a")).state;
    const empty = taken && reset(taken, 1_000);
    const again = decide(policy, empty, 1_000, 1, lease("a"));
    expect(again.allowed, policy.algorithm).toBe(true);
    const charge = { cost: 1, mark: markOf(taken, "a"), ...leaseIdOf(policy) };
    expect(refund(policy, again.state, 1_000, charge), policy.algorithm).toBeUndefined();
    const own = { ...charge, mark: markOf(again.state, "a") };
    expect(refund(policy, again.state, 1_000, own), policy.algorithm).toBeDefined();
  }
});

test("refund() gives nothing back of what another algorithm has counted, also when it is back", () => {
  for (const policy of EACH_ALGORITHM) {
    const other = policy === EACH_ALGORITHM[0] ? EACH_ALGORITHM[1] : EACH_ALGORITHM[0];
    const taken = decide(policy, undefined, 1_000, 1, lease("a")).state;
    const charge = { cost: 1, mark: markOf(taken, "a"), ...leaseIdOf(policy) };
    expect(other && refund(other, taken, 1_000, charge), policy.algorithm).toBeUndefined();
    const between = other && decide(other, taken, 1_000, 1, lease("a")).state;
    const back = decide(policy, between, 1_000, 1, lease("a"));
    expect(back.allowed, policy.algorithm).toBe(true);
    expect(refund(policy, back.state, 1_000, charge), policy.algorithm).toBeUndefined();
  }
});

test("look() names the wait of a block that was made shorter, and counts it down", () => {
  const exhausted = decide(lockout, undefined, 0, 2).state;
  const shorter = { ...lockout, blockForMs: 3_000 };
  expect(look(shorter, exhausted, 1_000, 1).retryAfterMs).toBe(2_000);
  expect(look(shorter, exhausted, 3_000, 1)).toMatchObject({ allowed: true, retryAfterMs: 0 });
  expect(look({ ...lockout, blockForMs: 9_000 }, exhausted, 1_000, 1).retryAfterMs).toBe(4_000);
});

function lease(id: string) {
  return { id, ttlMs: 60_000 };
}

function leaseIdOf({ algorithm }: Policy) {
  return algorithm === "concurrency" ? { leaseId: "a" } : {};
}
