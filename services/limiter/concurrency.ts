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
  const live = liveAt(state, nowMs);
  if (!live.some((lease) => leaseIds.has(lease.id))) return undefined;
  const leases = live.map((lease) =>
    leaseIds.has(lease.id) ? { id: lease.id, ttlMs, expiresAtMs: nowMs + ttlMs } : lease,
  );
  return { kind: "concurrency", leases, blockedUntilMs: 0 };
}

/** The bucket without the leases; undefined when it holds none of them. */
export function releaseLeases(
  state: ConcurrencyState | undefined,
  nowMs: number,
  leaseIds: ReadonlySet<string>,
): ConcurrencyState | undefined {
  const live = liveAt(state, nowMs);
  const leases = live.filter((lease) => !leaseIds.has(lease.id));
  if (leases.length === live.length) return undefined;
  return { kind: "concurrency", leases, blockedUntilMs: 0 };
}
