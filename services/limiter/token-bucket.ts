import type { Ruling, TokenBucketState, View } from "./bucket-state.ts";
import type { TokenBucketPolicy } from "./policy.ts";

// A bucket counts what is used, in units of which one token has `periodMs`, and refills `limit`
// units each millisecond. Both are whole numbers, so nothing is ever rounded away.

/** What is used now; a clock that stepped back refills nothing. */
function usedAt(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
): number {
  if (state === undefined) return 0;
  const { periodMs, limit, burst } = policy;
  const used =
    state.unit === periodMs ? state.used : Math.ceil((state.used * periodMs) / state.unit);
  const refilled = Math.max(0, nowMs - state.atMs) * limit;
  return Math.min(Math.max(0, used - refilled), burst * periodMs);
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
    state: allowed
      ? { kind: "token_bucket", used, atMs: nowMs, unit: periodMs, blockedUntilMs: 0 }
      : state,
  };
}

/** The bucket as it is now after `cost` more. */
export function chargeTokenBucket(
  policy: TokenBucketPolicy,
  state: TokenBucketState | undefined,
  nowMs: number,
  cost: number,
): TokenBucketState {
  const { periodMs } = policy;
  const used = usedAt(policy, state, nowMs) + cost * periodMs;
  return {
    kind: "token_bucket",
    used,
    atMs: nowMs,
    unit: periodMs,
    blockedUntilMs: 0,
  };
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
  charge: { cost: number; chargedAtMs: number },
): TokenBucketState | undefined {
  const { periodMs, limit } = policy;
  const refilled = Math.max(0, nowMs - charge.chargedAtMs) * limit;
  const outstanding = charge.cost * periodMs - refilled;
  const used = usedAt(policy, state, nowMs);
  if (outstanding <= 0 || used <= 0) return undefined;
  return { ...state, used: Math.max(0, used - outstanding), atMs: nowMs, unit: periodMs };
}
