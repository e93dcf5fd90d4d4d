import { randomUUID } from "node:crypto";
import type { LeaseKeeper } from "../../../clients/limiter/lease-keeper.ts";
import type { Place } from "../../../clients/limiter/place.ts";
import type { HttpTelemetry } from "../../runtime/http-telemetry.ts";
import type { Logger } from "../../runtime/log.ts";
import { RETRY_AFTER_OUTAGE_MS } from "../access/refusal.ts";
import { REALTIME_PATH } from "../doors.ts";
import type { RealtimeEvents } from "../events.ts";
import { Session, type SessionContext } from "../session/session.ts";
import type { Sessions } from "../session/sessions.ts";
import { FRAME_CODECS } from "../streams/frame-codec.ts";
import type { Admission, createAdmission } from "./admission.ts";
import type { BeginSession, DoorRequest, Exchange } from "./exchange.ts";
import { type HttpAnswer, jsonAnswer, retryAfterSeconds } from "./http-answer.ts";

/** The close code for a bug of ours (RFC 6455). */
const INTERNAL_ERROR = 1011;

/** A gateway that dies releases the places of its connections within this time. */
export const PLACE_TTL_MS = 30_000;

type WebsocketOptions = {
  admit: ReturnType<typeof createAdmission>;
  sessions: Sessions;
  leases: Pick<LeaseKeeper, "createPlace">;
  context: SessionContext;
  events: RealtimeEvents;
  telemetry: HttpTelemetry;
  log: Logger;
};

type Admitted = Admission & { kind: "admitted" };

/**
 * Decides about the upgrade that a connection asks for, and gives it its session. The upgrade owns
 * the connection's place at the limiter until a session holds it, and releases it if none does.
 */
export function createUpgrade(options: WebsocketOptions): (exchange: Exchange) => void {
  const { leases, log } = options;

  return (exchange) => {
    const place = leases.createPlace(randomUUID());
    carryOut(options, exchange, place)
      .catch((error) => log.error({ err: error }, "an upgrade could not be answered"))
      .finally(() => {
        if (!place.isHeld) place.release();
      });
  };
}

async function carryOut(
  options: WebsocketOptions,
  exchange: Exchange,
  place: Place,
): Promise<void> {
  const { admit, events, telemetry, log } = options;
  const decide = async (): Promise<Admission> =>
    await admit(exchange.request, place).catch((error): Admission => {
      log.error({ err: error }, "an upgrade could not be decided");
      return NOT_DECIDED;
    });
  const admission = await decideUpgrade(telemetry, exchange.request, decide);
  if (!exchange.isOpen) return events.upgraded("aborted");
  if (admission.kind === "refused") {
    events.upgraded(admission.result);
    events.refused(admission.status);
    return exchange.answer(refusalAnswer(admission));
  }
  events.upgraded("accepted");
  const { key, echo } = admission;
  exchange.upgrade({ key, subprotocol: echo }, createBeginSession(options, admission, place));
}

const NOT_DECIDED: Admission = {
  kind: "refused",
  result: "unavailable",
  status: 503,
  message: "temporarily unavailable",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

/** Turns what an engine reports into events of a session, which holds the place until it closes. */
function createBeginSession(
  { sessions, context, events, log }: WebsocketOptions,
  { client, subprotocol }: Admitted,
  place: Place,
): BeginSession {
  const { id, ttlMs } = place.lease;
  return (socket) => {
    const session = new Session({ id, client, codec: FRAME_CODECS[subprotocol] }, socket, context);
    let isClosed = false;
    /** A bug that shows in one session ends that session, not the process. */
    const guard = (work: () => void) => {
      try {
        work();
      } catch (error) {
        log.error({ err: error, session: id }, "a session failed");
        if (!isClosed) socket.end(INTERNAL_ERROR, "internal error");
      }
    };
    return {
      opened() {
        place.hold(() => session.dismiss("connection_limit", ttlMs));
        events.opened();
        sessions.add(session);
        guard(() => session.open());
      },
      message: (data, isBinary) => guard(() => session.receive(data, isBinary)),
      control: () => guard(() => session.receiveControl()),
      drained: () => guard(() => session.drained()),
      closed(code) {
        isClosed = true;
        sessions.delete(session);
        place.release();
        session.closed();
        events.closed(code);
      },
    };
  };
}

/** Measures how long an upgrade waits; traces it without trusting the client's trace context. */
async function decideUpgrade(
  telemetry: HttpTelemetry,
  { headers }: DoorRequest,
  decide: () => Promise<Admission>,
): Promise<Admission> {
  const header = (name: string) => headers.get(name)?.[0];
  const call = { method: "GET", route: REALTIME_PATH, header, trustTraceContext: false };
  const { admission } = await telemetry(call, async () => {
    const admission = await decide();
    return { admission, status: admission.kind === "admitted" ? 101 : admission.status };
  });
  return admission;
}

/** The HTTP answer to an upgrade that is refused. */
export function refusalAnswer(admission: Admission & { kind: "refused" }): HttpAnswer {
  const { status, message, retryAfterMs } = admission;
  const headers: Record<string, string> = {};
  if (retryAfterMs !== undefined) headers["retry-after"] = retryAfterSeconds(retryAfterMs);
  if (status === 426) {
    headers["upgrade"] = "websocket";
    headers["sec-websocket-version"] = "13";
  }
  return jsonAnswer(status, { code: CODES[status], message }, headers);
}

const CODES = {
  400: "invalid_argument",
  403: "permission_denied",
  426: "upgrade_required",
  429: "rate_limited",
  503: "unavailable",
} as const;
