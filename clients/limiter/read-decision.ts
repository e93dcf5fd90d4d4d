import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { type Decision, Outcome } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { BucketRequest } from "./bucket-request.ts";
import type { Verdict } from "./verdict.ts";

/** A decision of the limiter. */
export type Answer = Exclude<Verdict, { kind: "no-decision" }>;

/** A rejection always carries a wait, however short. */
const RETRY_AFTER_MS_MIN = 1;

/**
 * Reads the limiter's decision on these buckets; undefined when it is invalid: it has no outcome,
 * or another number of buckets than the request.
 */
export function readDecision(
  decision: Decision | undefined,
  buckets: readonly BucketRequest[],
): Answer | undefined {
  if (decision === undefined || decision.buckets.length !== buckets.length) return undefined;
  if (decision.outcome === Outcome.ALLOWED) {
    const remaining = Math.min(...decision.buckets.map((bucket) => Number(bucket.remaining)));
    return { kind: "allowed", receipt: decision.receipt, remaining, isFailOpen: false };
  }
  if (decision.outcome !== Outcome.REJECTED) return undefined;
  const waits = decision.buckets.map((bucket) => milliseconds(bucket.retryAfter));
  const longest = waits.indexOf(Math.max(...waits));
  return {
    kind: "rejected",
    policy: buckets[longest]?.policy ?? "",
    retryAfterMs: Math.max(RETRY_AFTER_MS_MIN, milliseconds(decision.retryAfter)),
    isFailOpen: false,
  };
}

function milliseconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : durationMs(duration);
}
