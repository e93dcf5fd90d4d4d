import type { SlidingWindowState, View } from "./bucket-state.ts";
import type { SlidingWindowPolicy } from "./policy.ts";

/** Parts a period has. More make a charge leave sooner after its period, and the state larger. */
const SUB_WINDOWS = 10;
/** The newest sub-window has only begun, so one more than a period's parts can overlap it. */
const RING_SIZE = SUB_WINDOWS + 1;

const EMPTY: readonly number[] = new Array<number>(RING_SIZE).fill(0);

/** The ring as of now: how many charges lie how many sub-windows back. */
function ringAt(
  policy: SlidingWindowPolicy,
  state: SlidingWindowState | undefined,
  nowMs: number,
): { index: number; subWindowMs: number; counts: readonly number[] } {
  const subWindowMs = Math.ceil(policy.periodMs / SUB_WINDOWS);
  const index = Math.floor(nowMs / subWindowMs);
  if (state === undefined) return { index, subWindowMs, counts: EMPTY };
  if (state.subWindowMs !== subWindowMs) {
    // Under another period, what still counted then counts as charged when that was last written.
    const lastIndex = Math.floor((state.index * state.subWindowMs) / subWindowMs);
    const counts = [sum(state.counts), ...EMPTY.slice(1)];
    return { index, subWindowMs, counts: shift(counts, index - lastIndex) };
  }
  return { index, subWindowMs, counts: shift(state.counts, index - state.index) };
}

/** After a step back of the clock nothing moves: what counted then still counts now. */
function shift(counts: readonly number[], by: number): readonly number[] {
  if (by <= 0) return counts;
  if (by >= RING_SIZE) return EMPTY;
  return [...EMPTY.slice(0, by), ...counts.slice(0, RING_SIZE - by)];
}

function sum(counts: readonly number[]): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

/** What the bucket says about taking `cost` now. */
export function lookAtSlidingWindow(
  policy: SlidingWindowPolicy,
  state: SlidingWindowState | undefined,
  nowMs: number,
  cost: number,
): View {
  const { index, subWindowMs, counts } = ringAt(policy, state, nowMs);
  const total = sum(counts);
  const leavesAfterMs = (age: number) => (index - age + RING_SIZE) * subWindowMs - nowMs;
  let missing = total + cost - policy.limit;
  const allowed = missing <= 0;
  let retryAfterMs = 0;
  for (let age = RING_SIZE - 1; age >= 0 && missing > 0; age--) {
    missing -= counts[age] ?? 0;
    retryAfterMs = leavesAfterMs(age);
  }
  const newest = counts.findIndex((count) => count > 0);
  return {
    allowed,
    remaining: Math.max(0, policy.limit - total),
    retryAfterMs,
    resetAfterMs: newest < 0 ? 0 : leavesAfterMs(newest),
  };
}

/** The bucket after `cost` more. */
export function chargeSlidingWindow(
  policy: SlidingWindowPolicy,
  state: SlidingWindowState | undefined,
  nowMs: number,
  cost: number,
): SlidingWindowState {
  const { index, subWindowMs, counts } = ringAt(policy, state, nowMs);
  return {
    kind: "sliding_window",
    index,
    subWindowMs,
    counts: counts.map((count, age) => (age === 0 ? count + cost : count)),
    blockedUntilMs: 0,
  };
}

/** The bucket after giving back a charge from its own sub-window; undefined when that has left. */
export function refundSlidingWindow(
  policy: SlidingWindowPolicy,
  state: SlidingWindowState,
  nowMs: number,
  charge: { cost: number; chargedAtMs: number },
): SlidingWindowState | undefined {
  const { index, subWindowMs, counts } = ringAt(policy, state, nowMs);
  const age = index - Math.floor(charge.chargedAtMs / subWindowMs);
  const held = counts[age] ?? 0;
  if (held === 0) return undefined;
  const left = counts.map((count, at) => (at === age ? Math.max(0, held - charge.cost) : count));
  return { ...state, index, subWindowMs, counts: left };
}
