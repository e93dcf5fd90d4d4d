import type { Bucket } from "../engine/bucket.ts";
import type { View } from "../rules/bucket-state.ts";
import { type Charge, type LeaseRequest, look } from "../rules/decide.ts";
import type { Mark } from "../rules/mark.ts";
import type { RowId } from "../store/store.ts";
import type { Target } from "./bucket-directory.ts";

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

/** What was charged, for a receipt: not always all of a request, since shadows reject nothing. */
export type Charged = {
  receiptId: RowId;
  chargedAtMs: number;
  demands: readonly Demand[];
  /** Of each row, in the order of `bucketsOf`. */
  marks: readonly Mark[];
};

/** The answer to one request. */
export type Decision = {
  allowed: boolean;
  retryAfterMs: number;
  buckets: BucketDecision[];
  /** Set when something was charged. */
  charged: Charged | undefined;
  /** Whether it was given before, to the same request. */
  isRepeated?: boolean;
};

/** What was taken from each row of a request. */
export function chargesOf({ demands, marks }: Pick<Charged, "demands" | "marks">): Array<{
  bucket: Bucket;
  isWider: boolean;
  charge: Charge;
}> {
  let index = 0;
  return demands.flatMap(({ target, cost, lease }) =>
    target.buckets.map((bucket) => {
      const mark = marks[index++] ?? NO_MARK;
      const isWider = bucket.policy !== target.policy;
      const charge = lease === undefined ? { cost, mark } : { cost, mark, leaseId: lease.id };
      return { bucket, isWider, charge };
    }),
  );
}

/** No charge was ever made there. */
const NO_MARK: Mark = { beginning: -1, at: 0, unit: 1 };

/** The rows of a request, in the order of its demands. */
export function bucketsOf(demands: readonly Demand[]): readonly Bucket[] {
  const [first] = demands;
  if (demands.length === 1 && first !== undefined) return first.target.buckets;
  return demands.flatMap(({ target }) => target.buckets);
}

/** What each row of a request says. */
export function lookAtDemands(
  demands: readonly Demand[],
  lookAt: (bucket: Bucket, demand: Demand) => View,
): View[] {
  const views: View[] = [];
  for (const demand of demands) {
    for (const bucket of demand.target.buckets) views.push(lookAt(bucket, demand));
  }
  return views;
}

/**
 * What a request's rows say together: a demand is met only when each of its rows lets it pass.
 * Views come in the order of `bucketsOf`.
 */
export function combine(demands: readonly Demand[], views: readonly View[]): Decision {
  const decision: Decision = { allowed: true, retryAfterMs: 0, buckets: [], charged: undefined };
  let index = 0;
  for (const { target } of demands) {
    let remaining = target.capacity;
    let retryAfterMs = 0;
    let resetAfterMs = 0;
    for (let row = 0; row < target.buckets.length; row++) {
      const view = views[index++];
      if (view === undefined) throw new Error("a row of a request was not looked at");
      decision.allowed &&= view.allowed;
      if (view.remaining < remaining) remaining = view.remaining;
      if (view.retryAfterMs > retryAfterMs) retryAfterMs = view.retryAfterMs;
      if (view.resetAfterMs > resetAfterMs) resetAfterMs = view.resetAfterMs;
    }
    if (retryAfterMs > decision.retryAfterMs) decision.retryAfterMs = retryAfterMs;
    const { name: policy } = target.policy;
    const limit = target.capacity;
    decision.buckets.push({ policy, limit, remaining, retryAfterMs, resetAfterMs });
  }
  return decision;
}

/**
 * The rejection that follows from what was committed in the last `rememberedMs`, undefined when the
 * database has to be asked. Whatever a flush under way charges can only confirm it.
 */
export function findRememberedRejection(
  demands: readonly Demand[],
  rememberedMs: number,
): Decision | undefined {
  if (!mayReject(demands)) return undefined;
  const localMs = performance.now();
  const views: View[] = [];
  let isRejected = false;
  for (const { target, cost } of demands) {
    if (target.policy.algorithm === "concurrency") return undefined;
    for (const bucket of target.buckets) {
      if (localMs - bucket.readAtMs > rememberedMs) return undefined;
      const view = look(bucket.policy, bucket.state, nowOf(bucket, localMs), cost);
      isRejected ||= !view.allowed;
      views.push(view);
    }
  }
  return isRejected ? combine(demands, views) : undefined;
}

/** Rules out at once what had enough left when it was last read: time only adds to that. */
function mayReject(demands: readonly Demand[]): boolean {
  for (const { target, cost } of demands) {
    for (const bucket of target.buckets) {
      if (cost > bucket.remaining) return true;
    }
  }
  return false;
}

/** The database's clock as it must be by now; ahead by a round trip at most. */
function nowOf(bucket: Bucket, localMs: number): number {
  return Math.floor(bucket.stateAtMs + (localMs - bucket.readAtMs));
}
