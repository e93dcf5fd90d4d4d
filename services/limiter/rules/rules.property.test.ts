import fc from "fast-check";
import { expect, test } from "vitest";
import type { BucketState } from "./bucket-state.ts";
import { decide, look, refund } from "./decide.ts";
import { windowAround } from "./fixed-window.ts";
import { type Mark, markOf } from "./mark.ts";
import {
  capacityOf,
  type FixedWindowPolicy,
  longestPeriodMs,
  type Policy,
  type SlidingWindowPolicy,
  type TokenBucketPolicy,
} from "./policy.ts";

fc.configureGlobal({ numRuns: 400 });

// What the rules promise, checked against lists of what they admitted.

const START_MS = 1_700_000_000_000;

const base = { name: "any", key: "text", mode: "enforce", blockForMs: 0 } as const;
const anyLimit = fc.integer({ min: 1, max: 20 });
const anyPeriodMs = fc.integer({ min: 1, max: 5_000 });

const anyTokenBucket: fc.Arbitrary<TokenBucketPolicy> = fc
  .record({ limit: anyLimit, periodMs: anyPeriodMs, burst: anyLimit })
  .map((rule) => ({ ...base, algorithm: "token_bucket", ...rule }));
const anySlidingWindow: fc.Arbitrary<SlidingWindowPolicy> = fc
  .record({ limit: anyLimit, periodMs: fc.integer({ min: 10, max: 5_000 }) })
  .map((rule) => ({ ...base, algorithm: "sliding_window", ...rule }));
const anyFixedWindow: fc.Arbitrary<FixedWindowPolicy> = fc
  .record({ limit: anyLimit, period: fc.oneof(anyPeriodMs, fc.constant("hour" as const)) })
  .map((rule) => ({ ...base, algorithm: "fixed_window", ...rule }));
const anyWindowedPolicy: fc.Arbitrary<Policy> = fc
  .tuple(fc.oneof(anyTokenBucket, anySlidingWindow, anyFixedWindow), fc.nat({ max: 3_000 }))
  .map(([policy, blockForMs]) => ({ ...policy, blockForMs }));

const anySteps = (clock: fc.Arbitrary<number>) =>
  fc.array(
    fc.record({
      stepMs: clock,
      cost: fc.integer({ min: 1, max: 5 }),
      isRefunded: fc.boolean(),
    }),
    { minLength: 1, maxLength: 80 },
  );
const onward = fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 6_000 }));
const anyClock = fc.oneof(onward, fc.integer({ min: -20_000, max: 20_000 }));

type Admitted = { atMs: number; cost: number; mark: Mark };

test("a token bucket admits at most its burst and what refills, in any stretch of time", () => {
  fc.assert(
    fc.property(anyTokenBucket, anySteps(onward), (policy, steps) => {
      const { admitted } = live(policy, steps);
      for (const [from, first] of admitted.entries()) {
        let cost = 0;
        for (const last of admitted.slice(from)) {
          cost += last.cost;
          const refilled = (policy.limit * (last.atMs - first.atMs)) / policy.periodMs;
          expect(cost).toBeLessThanOrEqual(policy.burst + refilled);
        }
      }
    }),
  );
});

test("a sliding window admits at most its limit, wherever the period is laid", () => {
  fc.assert(
    fc.property(anySlidingWindow, anySteps(onward), (policy, steps) => {
      const { admitted } = live(policy, steps);
      for (const { atMs } of admitted) {
        const within = admitted.filter((a) => a.atMs >= atMs && a.atMs < atMs + policy.periodMs);
        expect(sum(within)).toBeLessThanOrEqual(policy.limit);
      }
    }),
  );
});

test("a fixed window admits at most its limit in each of its windows", () => {
  fc.assert(
    fc.property(anyFixedWindow, anySteps(onward), (policy, steps) => {
      const { admitted } = live(policy, steps);
      for (const { atMs } of admitted) {
        const { startMs, endMs } = windowAround(policy.period, atMs);
        const within = admitted.filter((a) => a.atMs >= startMs && a.atMs < endMs);
        expect(sum(within)).toBeLessThanOrEqual(policy.limit);
      }
    }),
  );
});

test("what remains can be taken, and no more; a wait that is named is enough, and needed", () => {
  fc.assert(
    fc.property(anyWindowedPolicy, anySteps(onward), (policy, steps) => {
      const { state, nowMs } = live(policy, steps);
      const { remaining, resetAfterMs } = look(policy, state, nowMs, 0);
      const most = Math.max(1, remaining);
      expect(look(policy, state, nowMs, most).allowed).toBe(remaining > 0);
      expect(look(policy, state, nowMs, remaining + 1).allowed).toBe(false);
      const { retryAfterMs } = look(policy, state, nowMs, capacityOf(policy));
      expect(look(policy, state, nowMs + retryAfterMs, capacityOf(policy)).allowed).toBe(true);
      const justBefore = look(policy, state, nowMs + retryAfterMs - 1, capacityOf(policy));
      expect(justBefore.allowed).toBe(retryAfterMs === 0 && justBefore.allowed);
      const full = look(policy, state, nowMs + resetAfterMs, 0);
      expect(full).toMatchObject({ remaining: capacityOf(policy), resetAfterMs: 0 });
    }),
  );
});

test("no bucket is locked for longer than its full refill, wherever the clock steps", () => {
  fc.assert(
    fc.property(anyWindowedPolicy, anySteps(anyClock), anyClock, (policy, steps, stepMs) => {
      const { state, nowMs } = live(policy, steps);
      const steppedMs = nowMs + stepMs;
      const ruling = decide(policy, state, steppedMs, 1);
      const waitMs = longestPeriodMs(policy);
      const later = decide(policy, ruling.state, steppedMs + waitMs, 1);
      expect(ruling.retryAfterMs).toBeLessThanOrEqual(waitMs);
      expect(later.allowed).toBe(true);
    }),
  );
});

test("refunds give back at most what still counts: what is kept stays within the rule", () => {
  fc.assert(
    fc.property(
      anyTokenBucket,
      anySteps(onward),
      fc.nat({ max: 9_000 }),
      (policy, steps, lateMs) => {
        const lived = live(policy, steps);
        let { state } = lived;
        const nowMs = lived.nowMs + lateMs;
        for (const [index, { cost, mark }] of lived.admitted.entries()) {
          const isRefunded = steps[index]?.isRefunded === true;
          if (isRefunded) state = refund(policy, state, nowMs, { cost, mark }) ?? state;
        }
        const kept = lived.admitted.filter((_, index) => steps[index]?.isRefunded !== true);
        // Whatever is taken right now comes on top of what was kept.
        const { remaining } = look(policy, state, nowMs, 0);
        for (const [from, first] of kept.entries()) {
          const refilled = (policy.limit * (nowMs - first.atMs)) / policy.periodMs;
          expect(sum(kept.slice(from)) + remaining).toBeLessThanOrEqual(policy.burst + refilled);
        }
      },
    ),
  );
});

/** Lets a bucket live through steps, and answers what it admitted and how it ended. */
function live(
  policy: Policy,
  steps: ReadonlyArray<{ stepMs: number; cost: number }>,
): { state: BucketState | undefined; nowMs: number; admitted: Admitted[] } {
  const admitted: Admitted[] = [];
  let state: BucketState | undefined;
  let nowMs = START_MS;
  for (const { stepMs, cost } of steps) {
    nowMs += stepMs;
    const ruling = decide(policy, state, nowMs, Math.min(cost, capacityOf(policy)));
    state = ruling.state;
    if (!ruling.allowed) continue;
    const mark = markOf(ruling.state);
    admitted.push({ atMs: nowMs, cost: Math.min(cost, capacityOf(policy)), mark });
  }
  return { state, nowMs, admitted };
}

function sum(admitted: readonly Admitted[]): number {
  return admitted.reduce((total, { cost }) => total + cost, 0);
}
