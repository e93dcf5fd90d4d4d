import { UNBLOCKED } from "./block.ts";
import type { SlidingWindowState, View } from "./bucket-state.ts";
import type { Lineage } from "./lineage.ts";
import type { Mark } from "./mark.ts";
import type { SlidingWindowPolicy } from "./policy.ts";

/** Parts a period has. More make a charge leave sooner after its period, and the state larger. */
const SUB_WINDOWS = 10;
/** The newest sub-window has only begun, so one more than a period's parts can overlap it. */
const RING_SIZE = SUB_WINDOWS + 1;

const EMPTY: readonly number[] = new Array<number>(RING_SIZE).fill(0);

/** The ring as of now: how many charges lie how many sub-windows back. */
type Ring = Pick<
  SlidingWindowState,
  "index" | "subWindowMs" | "counts" | "position" | "foldedFrom" | "foldedTo"
>;

const NEW_RING = { counts: EMPTY, position: 0, foldedFrom: 0, foldedTo: -1 } as const;

function ringAt(
  policy: SlidingWindowPolicy,
  state: SlidingWindowState | undefined,
  nowMs: number,
): Ring {
  const subWindowMs = Math.ceil(policy.periodMs / SUB_WINDOWS);
  const index = Math.floor(nowMs / subWindowMs);
  if (state === undefined) return { index, subWindowMs, ...NEW_RING };
  const isSame = state.subWindowMs === subWindowMs;
  const { counts, foldedFrom, foldedTo } = isSame ? state : folded(state);
  const lastIndex = isSame
    ? state.index
    : Math.floor((state.index * state.subWindowMs) / subWindowMs);
  const by = Math.max(0, index - lastIndex);
  const position = state.position + by;
  return { index, subWindowMs, counts: shift(counts, by), position, foldedFrom, foldedTo };
}

/** Under another period, what still counted then counts as charged when that was last written. */
function folded({ counts, position, foldedFrom, foldedTo }: SlidingWindowState) {
  const oldest = position - RING_SIZE + 1;
  const from = foldedTo >= oldest ? Math.min(foldedFrom, oldest) : oldest;
  return { counts: [sum(counts), ...EMPTY.slice(1)], foldedFrom: from, foldedTo: position };
}

/** How many sub-windows back a charge counts that was made at a place of the ring. */
function ageOf({ position, foldedFrom, foldedTo }: Ring, at: number): number {
  if (at > foldedTo) return position - at;
  return at < foldedFrom ? RING_SIZE : position - foldedTo;
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
  newLineage: Lineage,
): SlidingWindowState {
  const ring = ringAt(policy, state, nowMs);
  return {
    kind: "sliding_window",
    ...ring,
    counts: ring.counts.map((count, age) => (age === 0 ? count + cost : count)),
    lineage: state?.lineage || newLineage,
    ...UNBLOCKED,
  };
}

/** The bucket after giving back a charge from where it counts; undefined when it has left. */
export function refundSlidingWindow(
  policy: SlidingWindowPolicy,
  state: SlidingWindowState,
  nowMs: number,
  { cost, mark }: { cost: number; mark: Mark },
): SlidingWindowState | undefined {
  const ring = ringAt(policy, state, nowMs);
  const age = ageOf(ring, mark.at);
  const held = ring.counts[age] ?? 0;
  if (held === 0) return undefined;
  const counts = ring.counts.map((count, at) => (at === age ? Math.max(0, held - cost) : count));
  return { ...state, ...ring, counts };
}
