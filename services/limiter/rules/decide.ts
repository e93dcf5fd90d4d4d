import { beginBlock, blockedForMs, blockOf, isBlockFromFuture, UNBLOCKED } from "./block.ts";
import type { BucketState, Ruling, View } from "./bucket-state.ts";
import { acquireLease, isHeldSince, lookAtConcurrency, releaseLeases } from "./concurrency.ts";
import { chargeFixedWindow, lookAtFixedWindow, refundFixedWindow } from "./fixed-window.ts";
import { beginLineage, beginningOf } from "./lineage.ts";
import type { Mark } from "./mark.ts";
import type { Policy, TokenBucketPolicy } from "./policy.ts";
import { chargeSlidingWindow, lookAtSlidingWindow, refundSlidingWindow } from "./sliding-window.ts";
import {
  decideTokenBucket,
  lookAtTokenBucket,
  refundTokenBucket,
  settleTokenBucket,
} from "./token-bucket.ts";

/** Who holds one of the simultaneous things of a concurrency policy, and for how long. */
export type LeaseRequest = { id: string; ttlMs: number };

/** What a receipt says about one bucket. */
export type Charge = { cost: number; mark: Mark; leaseId?: string };

/**
 * Decides whether a bucket lets `cost` pass now, and takes it if so. A rejection takes nothing.
 * A concurrency policy always takes 1, for the given lease.
 */
export function decide(
  policy: Policy,
  state: BucketState | undefined,
  nowMs: number,
  cost: number,
  lease?: LeaseRequest,
): Ruling {
  const ruling =
    blockedForMs(policy, state, nowMs) === 0
      ? decideUnblocked(policy, state, nowMs, cost, lease)
      : { ...look(policy, state, nowMs, cost, lease?.id), state };
  if (!ruling.allowed) {
    ruling.state = withoutFuture(policy, state, nowMs);
    return ruling;
  }
  const { blockForMs } = policy;
  if (blockForMs === 0 || ruling.remaining > 0 || ruling.state === undefined) return ruling;
  return {
    ...ruling,
    resetAfterMs: Math.max(ruling.resetAfterMs, blockForMs),
    state: { ...ruling.state, ...beginBlock(policy, nowMs) },
  };
}

/** What `decide` would say, without taking anything. */
export function look(
  policy: Policy,
  state: BucketState | undefined,
  nowMs: number,
  cost: number,
  leaseId?: string,
): View {
  const view = lookUnblocked(policy, state, nowMs, cost, leaseId);
  const blockedMs = blockedForMs(policy, state, nowMs);
  if (blockedMs === 0) return view;
  return {
    allowed: false,
    remaining: 0,
    retryAfterMs: Math.max(view.retryAfterMs, blockedMs),
    resetAfterMs: Math.max(view.resetAfterMs, blockedMs),
  };
}

/**
 * Gives back what of a charge still counts, undefined when nothing does. Lifts a block that would
 * not have come about without the charge.
 */
export function refund(
  policy: Policy,
  state: BucketState | undefined,
  nowMs: number,
  taken: Charge,
): BucketState | undefined {
  if (state === undefined || !isFromThisBeginning(policy, state, taken)) return undefined;
  const given = refundUnblocked(policy, state, nowMs, taken);
  if (given === undefined || given.blockedUntilMs === 0) return given;
  const isExhausted = lookUnblocked(policy, given, nowMs, 0).remaining === 0;
  return isExhausted ? given : { ...given, ...UNBLOCKED };
}

/**
 * Whether what an answer promised about a charge is still so: the bucket was not begun anew since,
 * and the lease holds. That a charge has refilled or left its window breaks no promise.
 */
export function stands(
  policy: Policy,
  state: BucketState | undefined,
  nowMs: number,
  taken: Charge,
): boolean {
  if (taken.leaseId === undefined) {
    // Rows outlive the answers that charged them, so that one which is gone was not reset since.
    return state === undefined || isFromThisBeginning(policy, state, taken);
  }
  if (state?.kind !== "concurrency" || !isFromThisBeginning(policy, state, taken)) return false;
  return isHeldSince(state, nowMs, taken.leaseId, taken.mark);
}

/** A full bucket, to which no receipt of the old one gives back anything. */
export function reset(state: BucketState, nowMs: number): BucketState {
  const lineage = beginLineage(state.lineage, nowMs);
  switch (state.kind) {
    case "token_bucket":
      return { ...state, used: 0, atMs: nowMs, drift: 0, lineage, ...UNBLOCKED };
    case "fixed_window":
      return { ...state, count: 0, lineage, ...UNBLOCKED };
    case "sliding_window":
      return { ...state, counts: state.counts.map(() => 0), lineage, ...UNBLOCKED };
    case "concurrency":
      return { ...state, leases: [], lineage, ...UNBLOCKED };
  }
}

/** A state that another algorithm wrote, before the policy was changed, holds nothing of now. */
function isFromThisBeginning(policy: Policy, state: BucketState, { mark }: Charge): boolean {
  return state.kind === policy.algorithm && beginningOf(state.lineage) === mark.beginning;
}

/**
 * A state from the future, seen after the clock stepped back, must be written as of now: left as
 * it is, it would lock its bucket until the clock has come that far again.
 */
function withoutFuture(
  policy: Policy,
  state: BucketState | undefined,
  nowMs: number,
): BucketState | undefined {
  if (state === undefined || !isFromFuture(policy, state, nowMs)) return state;
  const blockedMs = blockedForMs(policy, state, nowMs);
  const isAsLong = !isBlockFromFuture(policy, state, nowMs);
  const block = isAsLong ? blockOf(state) : beginBlock(policy, nowMs);
  return { ...settle(policy, state, nowMs), ...(blockedMs === 0 ? UNBLOCKED : block) };
}

function isFromFuture(policy: Policy, state: BucketState, nowMs: number): boolean {
  if (isBlockFromFuture(policy, state, nowMs)) return true;
  switch (state.kind) {
    case "token_bucket":
      return state.atMs > nowMs;
    case "fixed_window":
      return state.startMs > nowMs;
    case "sliding_window":
      return state.index * state.subWindowMs > nowMs;
    case "concurrency":
      return state.leases.some((lease) => lease.expiresAtMs > nowMs + lease.ttlMs);
  }
}

function decideUnblocked(
  policy: Policy,
  state: BucketState | undefined,
  nowMs: number,
  cost: number,
  lease: LeaseRequest | undefined,
): Ruling {
  if (policy.algorithm === "token_bucket") {
    const newLineage = beginLineage(state?.lineage, nowMs);
    return decideTokenBucket(policy, ofKind(state, "token_bucket"), nowMs, cost, newLineage);
  }
  const view = lookUnblocked(policy, state, nowMs, cost, lease?.id);
  if (!view.allowed) return { ...view, state };
  const charged = charge(policy, state, nowMs, cost, lease);
  const after = lookUnblocked(policy, charged, nowMs, 0, lease?.id);
  return { ...after, allowed: true, retryAfterMs: 0, state: charged };
}

/** A state that another algorithm wrote, before the policy was changed, says nothing. */
function lookUnblocked(
  policy: Policy,
  state: BucketState | undefined,
  nowMs: number,
  cost: number,
  leaseId?: string,
): View {
  switch (policy.algorithm) {
    case "token_bucket":
      return lookAtTokenBucket(policy, ofKind(state, "token_bucket"), nowMs, cost);
    case "fixed_window":
      return lookAtFixedWindow(policy, ofKind(state, "fixed_window"), nowMs, cost);
    case "sliding_window":
      return lookAtSlidingWindow(policy, ofKind(state, "sliding_window"), nowMs, cost);
    case "concurrency":
      return lookAtConcurrency(policy, ofKind(state, "concurrency"), nowMs, leaseId);
  }
}

function charge(
  policy: Exclude<Policy, TokenBucketPolicy>,
  state: BucketState | undefined,
  nowMs: number,
  cost: number,
  lease?: LeaseRequest,
): BucketState {
  const newLineage = beginLineage(state?.lineage, nowMs);
  switch (policy.algorithm) {
    case "fixed_window":
      return chargeFixedWindow(policy, ofKind(state, "fixed_window"), nowMs, cost, newLineage);
    case "sliding_window":
      return chargeSlidingWindow(policy, ofKind(state, "sliding_window"), nowMs, cost, newLineage);
    case "concurrency":
      return acquireLease(ofKind(state, "concurrency"), nowMs, lease, newLineage);
  }
}

/** The bucket as of now, with nothing taken. */
function settle(policy: Policy, state: BucketState, nowMs: number): BucketState {
  if (policy.algorithm !== "token_bucket") return charge(policy, state, nowMs, 0);
  const newLineage = beginLineage(state.lineage, nowMs);
  return settleTokenBucket(policy, ofKind(state, "token_bucket"), nowMs, newLineage);
}

function refundUnblocked(
  policy: Policy,
  state: BucketState,
  nowMs: number,
  taken: Charge,
): BucketState | undefined {
  if (policy.algorithm === "token_bucket" && state.kind === "token_bucket") {
    return refundTokenBucket(policy, state, nowMs, taken);
  }
  if (policy.algorithm === "fixed_window" && state.kind === "fixed_window") {
    return refundFixedWindow(policy, state, nowMs, taken);
  }
  if (policy.algorithm === "sliding_window" && state.kind === "sliding_window") {
    return refundSlidingWindow(policy, state, nowMs, taken);
  }
  if (state.kind === "concurrency" && taken.leaseId !== undefined) {
    const isHeld = isHeldSince(state, nowMs, taken.leaseId, taken.mark);
    return isHeld ? releaseLeases(state, nowMs, new Set([taken.leaseId])) : undefined;
  }
  return undefined;
}

function ofKind<K extends BucketState["kind"]>(
  state: BucketState | undefined,
  kind: K,
): Extract<BucketState, { kind: K }> | undefined {
  return state?.kind === kind ? (state as Extract<BucketState, { kind: K }>) : undefined;
}
