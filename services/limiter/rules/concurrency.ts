import { UNBLOCKED } from "./block.ts";
import type { ConcurrencyState, Lease, View } from "./bucket-state.ts";
import type { Lineage } from "./lineage.ts";
import type { Mark } from "./mark.ts";
import type { ConcurrencyPolicy } from "./policy.ts";

/** The leases that hold now. After a step back of the clock none holds longer than its TTL. */
function liveAt(state: ConcurrencyState | undefined, nowMs: number): readonly Lease[] {
  if (state === undefined) return [];
  return state.leases
    .filter((lease) => lease.expiresAtMs > nowMs)
    .map((lease) =>
      lease.expiresAtMs - nowMs <= lease.ttlMs
        ? lease
        : { ...lease, expiresAtMs: nowMs + lease.ttlMs },
    );
}

/** What the bucket says about one more lease; one that is held already can be had again. */
export function lookAtConcurrency(
  policy: ConcurrencyPolicy,
  state: ConcurrencyState | undefined,
  nowMs: number,
  leaseId?: string,
): View {
  const live = liveAt(state, nowMs);
  const held = live.some((lease) => lease.id === leaseId);
  const allowed = held || live.length < policy.limit;
  const ends = live.map((lease) => lease.expiresAtMs - nowMs).sort((a, b) => a - b);
  return {
    allowed,
    remaining: Math.max(0, policy.limit - live.length),
    retryAfterMs: allowed ? 0 : (ends[live.length - policy.limit] ?? 0),
    resetAfterMs: ends.at(-1) ?? 0,
  };
}

/**
 * The bucket with a lease taken, or its end put off when it is held already; without a lease,
 * the bucket as it is now.
 */
export function acquireLease(
  state: ConcurrencyState | undefined,
  nowMs: number,
  lease: { id: string; ttlMs: number } | undefined,
  newLineage: Lineage,
): ConcurrencyState {
  const live = liveAt(state, nowMs);
  const lineage = state?.lineage || newLineage;
  const taken = state?.taken ?? 0;
  if (lease === undefined) {
    return { kind: "concurrency", leases: live, taken, lineage, ...UNBLOCKED };
  }
  const { id, ttlMs } = lease;
  const others = live.filter((other) => other.id !== id);
  const held = live.find((other) => other.id === id);
  // By the clock, so that it is a new one even where the row was deleted in between.
  const number = held?.number ?? Math.max(taken + 1, nowMs);
  const leases = [...others, { id, ttlMs, expiresAtMs: nowMs + ttlMs, number }];
  return {
    kind: "concurrency",
    leases,
    taken: Math.max(taken, number),
    lineage,
    ...UNBLOCKED,
  };
}

/** Whether a lease holds now that was taken by the charge with this mark. */
export function isHeldSince(
  state: ConcurrencyState,
  nowMs: number,
  leaseId: string,
  mark: Mark,
): boolean {
  return liveAt(state, nowMs).some(({ id, number }) => id === leaseId && number === mark.at);
}

/** Which of the leases hold now. */
export function heldOf(
  state: ConcurrencyState | undefined,
  nowMs: number,
  leaseIds: ReadonlySet<string>,
): ReadonlySet<string> {
  const held = liveAt(state, nowMs).filter((lease) => leaseIds.has(lease.id));
  return new Set(held.map((lease) => lease.id));
}

/**
 * The bucket with the end of leases put off; undefined when it holds none of them. All in one go:
 * a wide network holds thousands.
 */
export function renewLeases(
  state: ConcurrencyState | undefined,
  nowMs: number,
  leaseIds: ReadonlySet<string>,
  ttlMs: number,
): ConcurrencyState | undefined {
  if (state === undefined) return undefined;
  const live = liveAt(state, nowMs);
  if (!live.some((lease) => leaseIds.has(lease.id))) return undefined;
  const leases = live.map((lease) =>
    leaseIds.has(lease.id) ? { ...lease, ttlMs, expiresAtMs: nowMs + ttlMs } : lease,
  );
  return { ...state, leases };
}

/** The bucket without the leases; undefined when it holds none of them. */
export function releaseLeases(
  state: ConcurrencyState | undefined,
  nowMs: number,
  leaseIds: ReadonlySet<string>,
): ConcurrencyState | undefined {
  if (state === undefined) return undefined;
  const live = liveAt(state, nowMs);
  const leases = live.filter((lease) => !leaseIds.has(lease.id));
  if (leases.length === live.length) return undefined;
  return { ...state, leases };
}
