import type { BoundedWarning } from "../../services/runtime/bounded-warning.ts";
import type { Clock } from "../../services/runtime/clock.ts";
import { codeText } from "../../services/runtime/code-text.ts";
import type { BucketRequest } from "./bucket-request.ts";
import type { OutcomeCounter } from "./events.ts";
import type { FailureMode } from "./failure-mode.ts";
import type { InProcessLimiter } from "./in-process-limiter.ts";
import type { LimiterWay } from "./limiter-way.ts";
import type { NoDecisionCause } from "./no-decision.ts";
import type { Verdict } from "./verdict.ts";

/** The circuit breaker has probed again by then. */
export const NO_DECISION_RETRY_AFTER_MS = 1_000;

/** Answers a request for which the limiter gave no decision. */
export type Fallback = (
  cause: NoDecisionCause,
  buckets: readonly BucketRequest[],
  options: { alwaysClosed: boolean },
) => Verdict;

/** Creates the fallback of a surface: it decides in this process while limits fail open. */
export function createFallback(options: {
  surface: string;
  failure: Pick<FailureMode, "current" | "describe">;
  way: Pick<LimiterWay, "standingRejection">;
  inProcess: Pick<InProcessLimiter, "consume">;
  count: OutcomeCounter;
  warn: BoundedWarning;
  clock: Clock;
}): Fallback {
  const { surface, failure, way, inProcess, count, warn, clock } = options;

  /**
   * Decides in this process. Overload is no outage: what the limiter itself rejected a moment ago
   * stays rejected, so that nobody gains by overloading it.
   */
  const decideHere = (
    cause: NoDecisionCause,
    buckets: readonly BucketRequest[],
  ): Verdict | undefined => {
    const standing = cause.isOverload ? way.standingRejection(buckets) : undefined;
    if (standing !== undefined) return { kind: "rejected", ...standing, isFailOpen: true };
    return inProcess.consume(buckets, clock.nowMs());
  };

  return (cause, buckets, { alwaysClosed }) => {
    const policy = buckets[0]?.policy ?? "";
    const code = codeText(cause.code);
    count(policy, "backend-error");
    const mayDecideHere = cause.isOutage && !alwaysClosed && failure.current() === "fail-open";
    const verdict = mayDecideHere ? decideHere(cause, buckets) : undefined;
    const ending = verdict === undefined ? "failing closed" : failure.describe();
    warn(
      `${code} ${ending}`,
      `Security limiter warning: backend consume failed (${code}); ${ending}.`,
      { surface },
    );
    count(policy, verdict === undefined ? "fail-closed" : "fail-open");
    return verdict ?? { kind: "no-decision", retryAfterMs: NO_DECISION_RETRY_AFTER_MS };
  };
}
