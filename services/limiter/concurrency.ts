import type { ConcurrencyState, Lease, View } from "./bucket-state.ts";
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
): ConcurrencyState {
  const live = liveAt(state, nowMs);
  if (lease === undefined) return { kind: "concurrency", leases: live, blockedUntilMs: 0 };
  const others = live.filter((other) => other.id !== lease.id);
  const taken = { id: lease.id, ttlMs: lease.ttlMs, expiresAtMs: nowMs + lease.ttlMs };
  return { kind: "concurrency", leases: [...others, taken], blockedUntilMs: 0 };
}

/** The bucket with a lease's end put off; undefined when the lease is lost. */
export function renewLease(
  state: ConcurrencyState | undefined,
  nowMs: number,
  lease: { id: string; ttlMs: number },
): ConcurrencyState | undefined {
  const isHeld = liveAt(state, nowMs).some((held) => held.id === lease.id);
  return isHeld ? acquireLease(state, nowMs, lease) : undefined;
}

/** The bucket without a lease; undefined when it does not hold it. */
export function releaseLease(
  state: ConcurrencyState | undefined,
  nowMs: number,
  leaseId: string,
): ConcurrencyState | undefined {
  const live = liveAt(state, nowMs);
  const leases = live.filter((lease) => lease.id !== leaseId);
  if (leases.length === live.length) return undefined;
  return { kind: "concurrency", leases, blockedUntilMs: 0 };
}
