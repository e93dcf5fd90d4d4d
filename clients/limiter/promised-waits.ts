import type { TokenBucketPolicy } from "../../services/limiter/rules/policy.ts";
import { rowsOfKey } from "../../services/limiter/rules/policy-rows.ts";
import { setNewest } from "../../services/runtime/set-newest.ts";
import type { BucketRequest } from "./bucket-request.ts";
import type { StandIn } from "./stand-in.ts";

/** Keys with a promise that is not due; of more than that the oldest is forgotten. */
const KEYS_MAX = 10_000;

/**
 * Spreads the waits of requests that are refused together. The limiter tells each of them when one
 * request can pass, which is true for one of them: the next one is promised the moment after, and
 * so on. Concurrency policies free their places when somebody leaves, so nothing can be promised
 * there; nor under policies of which the rule is not known here. Takes the time as an argument.
 */
export class PromisedWaits {
  readonly #rules: StandIn;
  /** By key, when what was promised last can pass; the newest key last. */
  readonly #dueMs = new Map<string, number>();

  constructor(rules: StandIn) {
    this.#rules = rules;
  }

  /** The wait that is true for one more refused request, however many were refused just before. */
  promise(bucket: BucketRequest, retryAfterMs: number, nowMs: number): number {
    const rate = this.#rateOf(bucket);
    if (rate === undefined) return retryAfterMs;
    const { key, intervalMs, fullMs } = rate;
    const needsMs = (bucket.cost ?? 1) * intervalMs;
    // A bucket that is blocked refills meanwhile: when the block ends, several can pass.
    const firstMs = Math.min(retryAfterMs, needsMs);
    const aheadMs = this.#aheadMs(key, nowMs, fullMs);
    // By the time the bucket is full again, whoever does not come has lost the promise.
    const turnMs = aheadMs === 0 ? firstMs : Math.min(aheadMs + needsMs, fullMs);
    setNewest(this.#dueMs, key, nowMs + turnMs, KEYS_MAX);
    return Math.max(retryAfterMs, Math.ceil(turnMs));
  }

  #aheadMs(key: string, nowMs: number, fullMs: number): number {
    const aheadMs = (this.#dueMs.get(key) ?? nowMs) - nowMs;
    // A clock that stepped back would hold promises for longer than they were made for.
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

/** How long one token takes, and all of them. */
function timesOf({ periodMs, limit, burst }: TokenBucketPolicy) {
  const intervalMs = periodMs / limit;
  return { intervalMs, fullMs: burst * intervalMs };
}
