import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Verdict } from "../../../clients/limiter/verdict.ts";
import {
  type Error as ErrorFrame,
  ErrorSchema,
} from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";

/** The codes of an `error` frame: the HTTP status of the same meaning, and whether a wait helps. */
const REFUSALS = {
  invalid_argument: { status: 400, temporary: false },
  unauthenticated: { status: 401, temporary: false },
  permission_denied: { status: 403, temporary: false },
  not_found: { status: 404, temporary: false },
  already_subscribed: { status: 409, temporary: false },
  rate_limited: { status: 429, temporary: true },
  unavailable: { status: 503, temporary: true },
} as const;

type TemporaryCode = "rate_limited" | "unavailable";
type LastingCode = Exclude<keyof typeof REFUSALS, TemporaryCode>;

/** Why a client frame was not carried out. Temporary refusals always name a wait. */
export type Refusal =
  | { code: LastingCode; message: string }
  | { code: TemporaryCode; message: string; retryAfterMs: number };

/** Long enough that a retry may succeed, short enough to recover quickly. */
export const RETRY_AFTER_OUTAGE_MS = 1_000;

/** The refusal when nobody could decide. */
export function unavailable(retryAfterMs = RETRY_AFTER_OUTAGE_MS): Refusal {
  return { code: "unavailable", message: "temporarily unavailable", retryAfterMs };
}

/** The refusal of a subscribe or refresh; undefined when the limiter allowed it. */
export function refusalOf(verdict: Verdict): Refusal | undefined {
  switch (verdict.kind) {
    case "allowed":
      return undefined;
    case "rejected":
      return {
        code: "rate_limited",
        message: "too many subscribes",
        retryAfterMs: verdict.retryAfterMs,
      };
    case "no-decision":
      return unavailable(verdict.retryAfterMs);
  }
}

/** The body of the `error` frame for a refusal. */
export function toErrorFrame(refusal: Refusal): ErrorFrame {
  const { code, message } = refusal;
  const frame = create(ErrorSchema, { code, message, ...REFUSALS[code] });
  if ("retryAfterMs" in refusal) {
    frame.retryAfter = durationFromMs(Math.max(1, Math.ceil(refusal.retryAfterMs)));
  }
  return frame;
}
