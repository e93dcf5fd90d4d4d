import { blockOf } from "./block.ts";
import type { Ruling, TokenBucketState, View } from "./bucket-state.ts";
import { beginningOf, type Lineage, reviseLineage } from "./lineage.ts";
import type { Mark } from "./mark.ts";
import type { TokenBucketPolicy } from "./policy.ts";

// A bucket counts what is used, in units of which one token has `periodMs`, and refills `limit`
// units each millisecond. Both are whole numbers, so nothing is ever rounded away.

/** What is used now, at most all there is. */
function usedAt(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
): number {
  return Math.min(debtAt(policy, state, nowMs), policy.burst * policy.periodMs);
}

/**
 * What is used now, which is more than there is when a rule was made stricter; a clock that stepped
 * back refills nothing.
 */
function debtAt(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
): number {
  if (state === undefined) return 0;
  const { periodMs, limit } = policy;
  const used =
    state.unit === periodMs ? state.used : Math.ceil((state.used * periodMs) / state.unit);
  const refilled = Math.max(0, nowMs - state.atMs) * limit;
  return Math.max(0, used - refilled);
}

/** What the bucket says about taking `cost` now. */
export function lookAtTokenBucket(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
  cost: number,
): View {
  const { periodMs, limit, burst } = policy;
  const used = usedAt(policy, state, nowMs);
  const missing = used + cost * periodMs - burst * periodMs;
  return {
    allowed: missing <= 0,
    remaining: Math.floor((burst * periodMs - used) / periodMs),
    retryAfterMs: missing <= 0 ? 0 : Math.ceil(missing / limit),
    resetAfterMs: Math.ceil(used / limit),
  };
}

/** Decides whether `cost` passes now, and takes it if so; all at once, since most decisions are this. */
export function decideTokenBucket(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
  cost: number,
  newLineage: Lineage,
): Ruling {
  const { periodMs, limit, burst } = policy;
  const capacity = burst * periodMs;
  const usedBefore = usedAt(policy, state, nowMs);
  const missing = usedBefore + cost * periodMs - capacity;
  const allowed = missing <= 0;
  const used = allowed ? usedBefore + cost * periodMs : usedBefore;
  return {
    allowed,
    remaining: Math.floor((capacity - used) / periodMs),
    retryAfterMs: allowed ? 0 : Math.ceil(missing / limit),
    resetAfterMs: Math.ceil(used / limit),
    state: allowed ? written(policy, state, nowMs, used, newLineage) : state,
  };
}

/** The bucket as of now, for a clock that stepped back. */
export function settleTokenBucket(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
  newLineage: Lineage,
): TokenBucketState {
  const used = usedAt(policy, state, nowMs);
  const isCut = debtAt(policy, state, nowMs) > used;
  // What was cut off cannot be told from what is left, so that no receipt may name it.
  return written(policy, isCut ? undefined : state, nowMs, used, newLineage);
}

/**
 * The bucket after giving back what of a charge has not refilled since, undefined when all of it
 * has. A charge refills at the bucket's full rate from the moment it was made, whatever else was
 * charged, so that what refunds give back together never exceeds what is used.
 */
export function refundTokenBucket(
  policy: TokenBucketPolicy,
  state: TokenBucketState,
  nowMs: number,
  { cost, mark }: { cost: number; mark: Mark },
): TokenBucketState | undefined {
  const { periodMs } = policy;
  // Rounded so that it never gives back more.
  const before = mark.unit === periodMs ? mark.at : Math.floor((mark.at * periodMs) / mark.unit);
  const outstanding = cost * periodMs - (refilledAt(policy, state, nowMs) - before);
  const debt = debtAt(policy, state, nowMs);
  if (outstanding <= 0 || debt <= 0) return undefined;
  const used = Math.max(0, debt - Math.min(outstanding, cost * periodMs));
  return { ...written(policy, state, nowMs, used, state.lineage), ...blockOf(state) };
}

/** What had refilled since the beginning when the state was written, in its units. */
export function refilledBy({ rate, atMs, drift, lineage }: TokenBucketState): number {
  return rate * (atMs - beginningOf(lineage)) + drift;
}

function refilledAt(policy: TokenBucketPolicy, state: TokenBucketState, nowMs: number): number {
  const { periodMs, limit } = policy;
  const by = refilledBy(state);
  const converted = state.unit === periodMs ? by : Math.ceil((by * periodMs) / state.unit);
  return converted + Math.max(0, nowMs - state.atMs) * limit;
}

/** The state to write now: what has refilled goes on where it was, whatever the rule was then. */
function written(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
  used: number,
  newLineage: Lineage,
): TokenBucketState {
  const { periodMs: unit, limit: rate } = policy;
  let lineage = newLineage;
  let drift = 0;
  if (state !== undefined && state.lineage !== 0) {
    const isSameRule = state.unit === unit && state.rate === rate && state.atMs <= nowMs;
    lineage = isSameRule ? state.lineage : reviseLineage(state.lineage);
    drift = isSameRule
      ? state.drift
      : refilledAt(policy, state, nowMs) - rate * (nowMs - beginningOf(lineage));
  }
  return {
    kind: "token_bucket",
    used,
    atMs: nowMs,
    unit,
    rate,
    drift,
    lineage,
    blockedUntilMs: 0,
    blockMs: 0,
  };
}
