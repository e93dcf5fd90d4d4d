import { Code, ConnectError } from "@connectrpc/connect";
import { NoDecisionSchema } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";

/** Why a call to the limiter gave no decision. */
export type NoDecisionCause = {
  code: Code;
  /** Only an outage may fail open; a refusal or a bug never does. */
  isOutage: boolean;
  /** The limiter or this process has too much to do; the way between them works. */
  isOverload: boolean;
  /** The limiter itself gave a reason; without one, the fault may lie anywhere. */
  isAnswered: boolean;
};

/** Reasons that may concern one bucket only: its row was locked until the deadline. */
const REASONS_OF_BUCKETS: ReadonlySet<string> = new Set(["timeout", "database"]);

/** Classifies the error of a call. A broken connection is an outage, whatever the error's code. */
export function noDecisionCause(thrown: unknown): NoDecisionCause {
  const error = ConnectError.from(thrown, Code.Internal);
  if (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded) {
    const reason = error.findDetails(NoDecisionSchema)[0]?.reason;
    return {
      code: error.code,
      isOutage: true,
      isOverload: reason === "overloaded",
      isAnswered: reason !== undefined && REASONS_OF_BUCKETS.has(reason),
    };
  }
  const isOutage = isBrokenConnection(error);
  const code = isOutage ? Code.Unavailable : error.code;
  return { code, isOutage, isOverload: false, isAnswered: false };
}

/** Creates the error of a request that this process sheds; it counts like the limiter's own. */
export function overloaded(message: string): ConnectError {
  const detail = { desc: NoDecisionSchema, value: { reason: "overloaded" } };
  return new ConnectError(message, Code.Unavailable, undefined, [detail]);
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
