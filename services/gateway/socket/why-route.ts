import type { AllowedOrigins } from "../../runtime/allowed-origins.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type FrameBudget, fullFrameBudget, takeFrame } from "../access/frame-budget.ts";
import type { RecentRefusals } from "../access/recent-refusals.ts";
import { RETRY_AFTER_OUTAGE_MS } from "../access/refusal.ts";
import type { DoorRequest } from "./exchange.ts";
import { type HttpAnswer, jsonAnswer, retryAfterSeconds } from "./http-answer.ts";

/** The rate of questions that are answered; more are refused before their headers are read. */
const QUESTIONS = { burst: 2_000, perSecond: 1_000 };
/** Pages with tracing add these headers to every request. */
const ALLOWED_HEADERS = "traceparent, tracestate, baggage";
const PREFLIGHT_SECONDS = "600";

/**
 * Tells a page why the last upgrade of its address was refused. Answers from memory, and only about
 * the address that asks.
 */
export function createWhyRoute(options: {
  allowedOrigins: AllowedOrigins;
  identity: ClientIdentity;
  refusals: RecentRefusals;
  clock: Clock;
}): (request: DoorRequest) => HttpAnswer {
  const { allowedOrigins, identity, refusals, clock } = options;
  let budget: FrameBudget = fullFrameBudget(clock.nowMs(), QUESTIONS);

  return ({ method, headers, remote }) => {
    const taken = takeFrame(budget, clock.nowMs(), QUESTIONS);
    if (taken === undefined) return TOO_MANY;
    budget = taken;
    const origins = headers.get("origin") ?? [];
    const [origin] = origins;
    if (origins.length > 1 || (origin !== undefined && !allowedOrigins.has(origin))) {
      return jsonAnswer(403, { code: "permission_denied", message: "this origin is not allowed" });
    }
    const cors = corsHeaders(origin);
    if (method === "OPTIONS") return preflight(cors);
    if (method !== "GET" && method !== "HEAD") {
      return jsonAnswer(405, { code: "invalid_argument", message: "use GET" }, ALLOW);
    }
    const client = identity({ remote, forwardedLines: headers.get("x-forwarded-for") ?? [] });
    return jsonAnswer(200, refusals.recall(client) ?? { code: "unknown" }, cors);
  };
}

const ALLOW = { allow: "GET, HEAD, OPTIONS" };

function corsHeaders(origin: string | undefined): Record<string, string> {
  // The answer depends on the origin, also when the request has none.
  if (origin === undefined) return { vary: "origin" };
  return { vary: "origin", "access-control-allow-origin": origin };
}

function preflight(cors: Readonly<Record<string, string>>): HttpAnswer {
  return jsonAnswer(
    204,
    {},
    {
      ...cors,
      ...ALLOW,
      "access-control-allow-methods": "GET",
      "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-max-age": PREFLIGHT_SECONDS,
    },
  );
}

const TOO_MANY = jsonAnswer(
  503,
  { code: "unavailable", message: "too many questions" },
  { "retry-after": retryAfterSeconds(RETRY_AFTER_OUTAGE_MS) },
);
