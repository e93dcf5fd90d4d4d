import { Code } from "@connectrpc/connect";
import type { BoundedWarning } from "../../services/runtime/bounded-warning.ts";
import type { Clock } from "../../services/runtime/clock.ts";
import type { Logger } from "../../services/runtime/log.ts";
import type { BucketRequest } from "./bucket-request.ts";
import type { OutcomeCounter } from "./events.ts";
import { type Fallback, NO_DECISION_RETRY_AFTER_MS } from "./fallback.ts";
import type { LimiterClient } from "./limiter-client.ts";
import type { LimiterWay } from "./limiter-way.ts";
import { type NoDecisionCause, noDecisionCause } from "./no-decision.ts";
import type { PromisedWaits } from "./promised-waits.ts";
import { readRefusal } from "./read-refusal.ts";
import type { Verdict } from "./verdict.ts";

const CIRCUIT_OPEN: NoDecisionCause = {
  code: Code.Unavailable,
  isOutage: true,
  isOverload: false,
  isAnswered: false,
};

/** Creates the function that asks the limiter, and makes a verdict of whatever comes of it. */
export function createConsume(options: {
  surface: string;
  way: Pick<LimiterWay, "admits" | "ask">;
  fallback: Fallback;
  waits: PromisedWaits;
  count: OutcomeCounter;
  warn: BoundedWarning;
  log: Logger;
  clock: Clock;
}): LimiterClient["consume"] {
  const { surface, way, fallback, waits, count, warn, log, clock } = options;

  const decide: LimiterClient["consume"] = async (
    buckets,
    { alwaysClosed = false, isForwarded = false } = {},
  ) => {
    if (!way.admits(buckets)) return fallback(CIRCUIT_OPEN, buckets, { alwaysClosed });
    try {
      const answer = await way.ask(buckets);
      if (answer.kind === "allowed") count(buckets[0]?.policy ?? "", "allow");
      else count(answer.policy, "reject");
      return answer;
    } catch (error) {
      const refusal = isForwarded ? readRefusal(error) : undefined;
      if (refusal !== undefined) {
        warn("forwarded", "the limiter refused a request that was forwarded", { err: error });
        return { kind: "no-decision", retryAfterMs: NO_DECISION_RETRY_AFTER_MS, refusal };
      }
      const cause = noDecisionCause(error);
      if (!cause.isOutage) {
        log.error({ err: error, surface }, "the limiter refused or misunderstood a consume");
      }
      return fallback(cause, buckets, { alwaysClosed });
    }
  };

  /** Gives each of the requests that are rejected together a wait that is true for it. */
  const withPromise = (verdict: Verdict, buckets: readonly BucketRequest[]): Verdict => {
    if (verdict.kind !== "rejected") return verdict;
    const rejecting = buckets.find(({ policy }) => policy === verdict.policy);
    if (rejecting === undefined) return verdict;
    const retryAfterMs = waits.promise(rejecting, verdict.retryAfterMs, clock.nowMs());
    return { ...verdict, retryAfterMs };
  };

  return async (buckets, how) => withPromise(await decide(buckets, how), buckets);
}
