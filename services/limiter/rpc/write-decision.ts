import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { type DecisionSchema, Outcome } from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { Decision } from "../decisions/decision.ts";

/** A decision as the wire has it. */
export function writeDecision(
  decision: Decision,
  receipt: string,
): MessageInitShape<typeof DecisionSchema> {
  return {
    outcome: decision.allowed ? Outcome.ALLOWED : Outcome.REJECTED,
    receipt,
    retryAfter: writeDuration(decision.allowed ? 0 : decision.retryAfterMs),
    buckets: decision.buckets.map((bucket) => ({
      policy: bucket.policy,
      limit: BigInt(bucket.limit),
      remaining: BigInt(bucket.remaining),
      retryAfter: writeDuration(bucket.retryAfterMs),
      resetAfter: writeDuration(bucket.resetAfterMs),
    })),
  };
}

function writeDuration(ms: number): Pick<Duration, "seconds" | "nanos"> {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 };
}
