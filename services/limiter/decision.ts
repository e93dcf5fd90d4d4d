import type { Bucket } from "./bucket.ts";
import type { Target } from "./bucket-directory.ts";
import type { View } from "./bucket-state.ts";
import { type LeaseRequest, look } from "./decide.ts";
import type { RowId } from "./store.ts";

/** One bucket of a request. */
export type Demand = { target: Target; cost: number; lease?: LeaseRequest | undefined };

/** What one bucket says after the decision. */
export type BucketDecision = {
  policy: string;
  limit: number;
  remaining: number;
  retryAfterMs: number;
  resetAfterMs: number;
};

/** What was charged, for a receipt. */
export type Charged = { receiptId: RowId; chargedAtMs: number };

/** The answer to one request. */
export type Decision = {
  allowed: boolean;
  retryAfterMs: number;
  buckets: BucketDecision[];
  /** Set when something was charged. */
  charged?: Charged | undefined;
};

/** What a request's rows say together: a demand is met only when each of its rows lets it pass. */
export function combine(
  demands: readonly Demand[],
  viewOf: (bucket: Bucket, demand: Demand) => View,
): Decision {
  let allowed = true;
  let retryAfterMs = 0;
  const buckets: BucketDecision[] = [];
  for (const demand of demands) {
    const { policy, capacity } = demand.target;
    const combined = { remaining: capacity, retryAfterMs: 0, resetAfterMs: 0 };
    for (const bucket of demand.target.buckets) {
      const view = viewOf(bucket, demand);
      allowed &&= view.allowed;
      combined.remaining = Math.min(combined.remaining, view.remaining);
      combined.retryAfterMs = Math.max(combined.retryAfterMs, view.retryAfterMs);
      combined.resetAfterMs = Math.max(combined.resetAfterMs, view.resetAfterMs);
    }
    retryAfterMs = Math.max(retryAfterMs, combined.retryAfterMs);
    buckets.push({ policy: policy.name, limit: capacity, ...combined });
  }
  return { allowed, retryAfterMs, buckets };
}

/**
 * The rejection that follows from what was committed in the last `rememberedMs`, undefined when the database has to be
 * asked. Whatever a flush under way charges can only confirm it.
 */
export function findRememberedRejection(
  demands: readonly Demand[],
  rememberedMs: number,
): Decision | undefined {
  const localMs = performance.now();
  let isRejected = false;
  for (const { target, cost, lease } of demands) {
    if (target.policy.algorithm === "concurrency") return undefined;
    for (const bucket of target.buckets) {
      if (localMs - bucket.readAtMs > rememberedMs) return undefined;
      isRejected ||= !look(bucket.policy, bucket.state, nowOf(bucket, localMs), cost, lease?.id)
        .allowed;
    }
  }
  if (!isRejected) return undefined;
  return combine(demands, (bucket, { cost, lease }) =>
    look(bucket.policy, bucket.state, nowOf(bucket, localMs), cost, lease?.id),
  );
}

/** The database's clock as it must be by now; ahead by a round trip at most. */
function nowOf(bucket: Bucket, localMs: number): number {
  return Math.floor(bucket.stateAtMs + (localMs - bucket.readAtMs));
}
