import { expect, test } from "vitest";
import type { BucketState } from "./bucket-state.ts";
import { decide, refund } from "./decide.ts";
import { markOf } from "./mark.ts";
import type { TokenBucketPolicy } from "./policy.ts";

const policy: TokenBucketPolicy = {
  name: "test",
  key: "text",
  mode: "enforce",
  blockForMs: 0,
  algorithm: "token_bucket",
  limit: 2,
  periodMs: 1_000,
  burst: 3,
};

test("decide() refills a token bucket evenly and rounds against the caller", () => {
  const steps = [
    { atMs: 5_000, cost: 1, allowed: true, remaining: 2, retryAfterMs: 0, resetAfterMs: 500 },
    { atMs: 5_000, cost: 2, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1_500 },
    { atMs: 5_000, cost: 1, allowed: false, remaining: 0, retryAfterMs: 500, resetAfterMs: 1_500 },
    { atMs: 5_499, cost: 1, allowed: false, remaining: 0, retryAfterMs: 1, resetAfterMs: 1_001 },
    { atMs: 5_500, cost: 1, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1_500 },
    { atMs: 6_000, cost: 2, allowed: false, remaining: 1, retryAfterMs: 500, resetAfterMs: 1_000 },
    { atMs: 9_999, cost: 3, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1_500 },
  ];
  let state: BucketState | undefined;
  for (const { atMs, cost, ...expected } of steps) {
    const ruling = decide(policy, state, atMs, cost);
    expect(ruling, `cost ${cost} at ${atMs} ms`).toMatchObject(expected);
    state = ruling.state;
  }
});

test("decide() never admits more than the burst and what refilled, at a rate no clock divides", () => {
  const odd: TokenBucketPolicy = { ...policy, limit: 7, periodMs: 1_000, burst: 5 };
  let state: BucketState | undefined;
  let admitted = 0;
  for (let atMs = 0; atMs <= 10_000; atMs++) {
    const ruling = decide(odd, state, atMs, 1);
    admitted += Number(ruling.allowed);
    state = ruling.state;
  }
  expect(admitted).toBe(5 + 7 * 10);
});

test("decide() locks a bucket for at most its full refill after the clock steps back", () => {
  const exhausted = decide(policy, undefined, 1_000_000, 3).state;
  const rejected = decide(policy, exhausted, 5_000, 1);
  expect(rejected).toMatchObject({ allowed: false, retryAfterMs: 500 });
  expect(decide(policy, rejected.state, 6_500, 3)).toMatchObject({ allowed: true, remaining: 0 });
});

test("decide() keeps what was used when the policy's period changes", () => {
  const used = decide(policy, undefined, 0, 2).state;
  const slower: TokenBucketPolicy = { ...policy, periodMs: 60_000 };
  expect(decide(slower, used, 0, 1)).toMatchObject({ allowed: true, remaining: 0 });
});

test("refund() gives back what has not refilled since, and nothing once all of it has", () => {
  const charged = decide(policy, undefined, 0, 3).state;
  const late = refund(policy, charged, 500, { cost: 3, mark: markOf(charged) });
  expect(decide(policy, late, 500, 3)).toMatchObject({ allowed: true, remaining: 0 });
  expect(refund(policy, charged, 1_500, { cost: 3, mark: markOf(charged) })).toBeUndefined();
});

test("refund() leaves what others took", () => {
  const others = decide(policy, undefined, 0, 2).state;
  const ours = decide(policy, others, 0, 1).state;
  const refunded = refund(policy, ours, 100, { cost: 1, mark: markOf(ours) });
  expect(decide(policy, refunded, 100, 1)).toMatchObject({ allowed: true, remaining: 0 });
});

test("refund() knows what refilled under the rules before, wherever the clock was", () => {
  const faster = { ...policy, limit: 20 };
  const first = decide(policy, undefined, 0, 1).state;
  // All of it refills under the faster rule, which does not hold any more.
  const second = decide(faster, first, 100, 1).state;
  const third = decide(policy, second, 100, 1).state;
  expect(refund(policy, third, 100, { cost: 1, mark: markOf(first) })).toBeUndefined();
  expect(refund(policy, third, 100, { cost: 1, mark: markOf(second) })).toBeDefined();
  // Time that passes twice refills twice.
  const back = decide(policy, first, -250, 1).state;
  const again = decide(policy, back, 250, 1).state;
  expect(refund(policy, again, 250, { cost: 1, mark: markOf(first) })).toBeUndefined();
});
