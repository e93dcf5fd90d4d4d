import { expect, test } from "vitest";
import { decide, look, refund } from "./decide.ts";
import type { TokenBucketPolicy } from "./policy.ts";

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
  const refunded = refund(lockout, exhausted, 10, { cost: 2, chargedAtMs: 0 });
  expect(look(lockout, refunded, 10, 2).allowed).toBe(true);
});

test("refund() leaves a block that came about without its charge", () => {
  const exhausted = decide(lockout, undefined, 0, 2).state;
  expect(refund(lockout, exhausted, 600, { cost: 1, chargedAtMs: 0 })).toBeUndefined();
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
  const other = { kind: "fixed_window", startMs: 0, count: 9, blockedUntilMs: 0 } as const;
  expect(decide(lockout, other, 0, 1)).toMatchObject({ allowed: true, remaining: 1 });
});
