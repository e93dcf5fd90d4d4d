import type { AllowedOrigins } from "../../runtime/allowed-origins.ts";
import type { ProbeMemory } from "../../runtime/probe-memory.ts";
import { HEALTH_PATH, REALTIME_PATH, WHY_PATH } from "../doors.ts";
import type { RealtimeEvents } from "../events.ts";
import type { DoorRequest, Exchange } from "./exchange.ts";
import { checkHandshake } from "./handshake.ts";
import { type HttpAnswer, jsonAnswer } from "./http-answer.ts";
import { observeProbe } from "./observe-probe.ts";
import { refusalAnswer } from "./websocket-route.ts";

/** Routes the requests of the public door; `upgrade` decides about websockets. */
export function createHttpRoutes(options: {
  allowedOrigins: AllowedOrigins;
  events: Pick<RealtimeEvents, "upgraded" | "refused">;
  probes: ProbeMemory;
  upgrade: (exchange: Exchange) => void;
  why: (request: DoorRequest) => HttpAnswer;
}): (exchange: Exchange) => void {
  const { allowedOrigins, events, probes, upgrade, why } = options;

  const refuseUpgrade = ({ headers }: DoorRequest): HttpAnswer => {
    // uWebSockets upgrades only requests with a key of the right length; the others arrive here.
    const handshake = checkHandshake(headers, allowedOrigins);
    const refusal =
      handshake.kind === "refused"
        ? handshake
        : { kind: "refused" as const, status: 400 as const, message: "use GET" };
    events.upgraded("invalid");
    events.refused(refusal.status);
    return refusalAnswer({ ...refusal, result: "invalid" });
  };

  return (exchange) => {
    const { request } = exchange;
    observeProbe(probes, request);
    if (exchange.isUpgrade) return upgrade(exchange);
    switch (request.path) {
      case REALTIME_PATH:
        return exchange.answer(refuseUpgrade(request));
      case WHY_PATH:
        return exchange.answer(why(request));
      case HEALTH_PATH:
        return exchange.answer(answerHealth(request.method));
      default:
        return exchange.answer(NOT_FOUND);
    }
  };
}

const NOT_FOUND = jsonAnswer(404, { code: "not_found", message: "not found" });
const ALIVE = jsonAnswer(200, { status: "alive" });
const ALLOW = { allow: "GET, HEAD, OPTIONS" };

/** Answers that the process runs, without checking its dependencies. */
function answerHealth(method: string): HttpAnswer {
  if (method === "GET" || method === "HEAD") return ALIVE;
  if (method === "OPTIONS") return jsonAnswer(204, {}, ALLOW);
  return jsonAnswer(405, { code: "invalid_argument", message: "use GET" }, ALLOW);
}
