import { randomUUID } from "node:crypto";
import type { LeaseKeeper } from "../../../clients/limiter/lease-keeper.ts";
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

type WebsocketOptions = {
  admit: ReturnType<typeof createAdmission>;
  sessions: Sessions;
  leases: Pick<LeaseKeeper, "keep" | "giveBack">;
  context: SessionContext;
  events: RealtimeEvents;
  telemetry: HttpTelemetry;
  log: Logger;
};

type Admitted = Admission & { kind: "admitted" };

/** Decides about the upgrade that a connection asks for, and gives it its session. */
export function createUpgrade(options: WebsocketOptions): (exchange: Exchange) => void {
  const { admit, leases, events, telemetry, log } = options;

  return (exchange) => {
    const sessionId = randomUUID();
    const decide = async (): Promise<Admission> =>
      await admit(exchange.request, sessionId).catch((error): Admission => {
        log.error({ err: error }, "an upgrade could not be decided");
        leases.giveBack(sessionId);
        return NOT_DECIDED;
      });
    decideUpgrade(telemetry, exchange.request, decide)
      .then((admission) => {
        if (!exchange.isOpen) {
          leases.giveBack(sessionId);
          return events.upgraded("aborted");
        }
        if (admission.kind === "refused") {
          events.upgraded(admission.result);
          events.refused(admission.status);
          return exchange.answer(refusalAnswer(admission));
        }
        events.upgraded("accepted");
        const { key, echo } = admission;
        const begin = createBeginSession(options, sessionId, admission);
        const isOpened = exchange.upgrade({ key, subprotocol: echo }, begin);
        if (!isOpened) leases.giveBack(sessionId);
      })
      .catch((error) => log.error({ err: error }, "an upgrade could not be answered"));
  };
}

const NOT_DECIDED: Admission = {
  kind: "refused",
  result: "unavailable",
  status: 503,
  message: "temporarily unavailable",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

/** Turns what an engine reports into events of a session, and nothing more. */
function createBeginSession(
  { sessions, leases, context, events, log }: WebsocketOptions,
  id: string,
  { client, place, subprotocol }: Admitted,
): BeginSession {
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
        leases.keep(place, () => session.dismiss("connection_limit", place.lease.ttlMs));
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
        leases.giveBack(id);
        session.closed();
        events.closed(code);
      },
    };
  };
}

/** Measures how long an upgrade waits, and traces it without trusting what the client says of it. */
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
