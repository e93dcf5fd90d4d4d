import { expect, test } from "vitest";
import type { BucketState } from "./bucket-state.ts";
import { decide, refund } from "./decide.ts";
import { windowAround } from "./fixed-window.ts";
import { markOf } from "./mark.ts";
import type { FixedWindowPolicy } from "./policy.ts";

const policy: FixedWindowPolicy = {
  name: "test",
  key: "text",
  mode: "enforce",
  blockForMs: 0,
  algorithm: "fixed_window",
  limit: 3,
  period: 1_000,
};

test("decide() counts a fixed window from its aligned start", () => {
  const steps = [
    { atMs: 5_900, cost: 2, allowed: true, remaining: 1, retryAfterMs: 0, resetAfterMs: 100 },
    { atMs: 5_950, cost: 2, allowed: false, remaining: 1, retryAfterMs: 50, resetAfterMs: 50 },
    { atMs: 5_999, cost: 1, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1 },
    { atMs: 6_000, cost: 3, allowed: true, remaining: 0, retryAfterMs: 0, resetAfterMs: 1_000 },
    { atMs: 6_001, cost: 1, allowed: false, remaining: 0, retryAfterMs: 999, resetAfterMs: 999 },
  ];
  let state: BucketState | undefined;
  for (const { atMs, cost, ...expected } of steps) {
    const ruling = decide(policy, state, atMs, cost);
    expect(ruling, `cost ${cost} at ${atMs} ms`).toMatchObject(expected);
    state = ruling.state;
  }
});

test.each([
  { period: "hour", now: "2024-02-29T10:59:59.999Z", end: "2024-02-29T11:00:00.000Z" },
  { period: "day", now: "2024-02-29T00:00:00.000Z", end: "2024-03-01T00:00:00.000Z" },
  { period: "month", now: "2024-02-15T12:00:00.000Z", end: "2024-03-01T00:00:00.000Z" },
  { period: "month", now: "2023-12-31T23:59:59.999Z", end: "2024-01-01T00:00:00.000Z" },
] as const)("windowAround() ends the $period of $now at $end", ({ period, now, end }) => {
  expect(windowAround(period, Date.parse(now)).endMs).toBe(Date.parse(end));
});

test("decide() locks a window for no longer than it lasts after the clock steps back", () => {
  const exhausted = decide(policy, undefined, 1_000_500, 3).state;
  const rejected = decide(policy, exhausted, 5_200, 1);
  expect(rejected).toMatchObject({ allowed: false, retryAfterMs: 800 });
  expect(decide(policy, rejected.state, 6_000, 3).allowed).toBe(true);
});

test("refund() gives back within the window only", () => {
  const charged = decide(policy, undefined, 5_100, 2).state;
  const refunded = refund(policy, charged, 5_900, { cost: 2, mark: markOf(charged) });
  expect(decide(policy, refunded, 5_900, 3).allowed).toBe(true);
  expect(refund(policy, charged, 6_000, { cost: 2, mark: markOf(charged) })).toBeUndefined();
});

test("refund() gives nothing back of an earlier window, also when the period or the clock changed", () => {
  const charged = decide(policy, undefined, 5_100, 2).state;
  const charge = { cost: 2, mark: markOf(charged) };
  const next = decide(policy, charged, 6_100, 2).state;
  expect(refund({ ...policy, period: 10_000 }, next, 6_100, charge)).toBeUndefined();
  expect(refund(policy, next, 5_900, charge)).toBeUndefined();
});
