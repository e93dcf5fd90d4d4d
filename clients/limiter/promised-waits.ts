import type { TokenBucketPolicy } from "../../services/limiter/rules/policy.ts";
import { rowsOfKey } from "../../services/limiter/rules/policy-rows.ts";
import { setNewest } from "../../services/runtime/set-newest.ts";
import type { BucketRequest } from "./bucket-request.ts";
import type { StandIn } from "./stand-in.ts";

/** The most keys with a promise; beyond, the oldest promise is dropped. */
const KEYS_MAX = 10_000;

/**
 * Spreads the waits of requests that are rejected together. The limiter tells each of them when the
 * next request can pass, which is true for one of them only. Here the second is promised the moment
 * after, and so on. Only token buckets whose policy is known here can be promised: places of a
 * concurrency policy become free when a holder leaves. Takes the time as an argument.
 */
export class PromisedWaits {
  readonly #rules: StandIn;
  /** When the last promised request of each key can pass; the newest key last. */
  readonly #dueMs = new Map<string, number>();

  constructor(rules: StandIn) {
    this.#rules = rules;
  }

  /** The wait of one more rejected request, behind those that were promised before. */
  promise(bucket: BucketRequest, retryAfterMs: number, nowMs: number): number {
    const rate = this.#rateOf(bucket);
    if (rate === undefined) return retryAfterMs;
    const { key, intervalMs, fullMs } = rate;
    const needsMs = (bucket.cost ?? 1) * intervalMs;
    // A blocked bucket refills during the block: when it ends, several requests can pass.
    const firstMs = Math.min(retryAfterMs, needsMs);
    const aheadMs = this.#aheadMs(key, nowMs, fullMs);
    // No promise reaches beyond the time at which the bucket is full again.
    const turnMs = aheadMs === 0 ? firstMs : Math.min(aheadMs + needsMs, fullMs);
    setNewest(this.#dueMs, key, nowMs + turnMs, KEYS_MAX);
    return Math.max(retryAfterMs, Math.ceil(turnMs));
  }

  #aheadMs(key: string, nowMs: number, fullMs: number): number {
    const aheadMs = (this.#dueMs.get(key) ?? nowMs) - nowMs;
    // The clock stepped back: these promises would last longer than they should.
    return aheadMs > fullMs ? 0 : Math.max(0, aheadMs);
  }

  #rateOf(bucket: BucketRequest): { key: string; intervalMs: number; fullMs: number } | undefined {
    const { policies, ipv6PrefixBits } = this.#rules;
    const policy = policies.get(bucket.policy);
    if (policy === undefined || policy.algorithm !== "token_bucket") return undefined;
    const isDoubtful = bucket.doubtful === true;
    const found = rowsOfKey(policy, bucket.key, { isDoubtful, ipv6PrefixBits });
    const text = found.kind === "found" ? found.rows[0]?.text : undefined;
    if (text === undefined) return undefined;
    return { key: `${policy.name}\n${text}`, ...timesOf(policy) };
  }
}

/** How long one token takes to refill, and a whole bucket. */
function timesOf({ periodMs, limit, burst }: TokenBucketPolicy) {
  const intervalMs = periodMs / limit;
  return { intervalMs, fullMs: burst * intervalMs };
}
