import { Code, ConnectError } from "@connectrpc/connect";
import { NoDecisionSchema } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";

/** Why a call to the limiter gave no decision. */
export type NoDecisionCause = {
  code: Code;
  /** Only an outage may fail open; a refusal or a bug never does. */
  isOutage: boolean;
  /** The limiter is there but has too much to do, so the breaker does not count it. */
  isOverload: boolean;
};

/** Sorts what a call threw. A connection that broke is an outage, whatever its code says. */
export function noDecisionCause(thrown: unknown): NoDecisionCause {
  const error = ConnectError.from(thrown, Code.Internal);
  if (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded) {
    const reason = error.findDetails(NoDecisionSchema)[0]?.reason;
    return { code: error.code, isOutage: true, isOverload: reason === "overloaded" };
  }
  const isOutage = isBrokenConnection(error);
  return { code: isOutage ? Code.Unavailable : error.code, isOutage, isOverload: false };
}

/** System errors of a connection that ended before the answer was complete. */
const BROKEN_CONNECTION = new Set([
  "ECONNRESET",
  "EPIPE",
  "ECONNABORTED",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

function isBrokenConnection(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string" && BROKEN_CONNECTION.has(cause.code)) {
      return true;
    }
  }
  return false;
}
