import { randomUUID } from "node:crypto";
import type { LeaseKeeper } from "../../../clients/limiter/lease-keeper.ts";
import type { HttpTelemetry } from "../../runtime/http-telemetry.ts";
import type { Logger } from "../../runtime/log.ts";
import { REALTIME_PATH } from "../doors.ts";
import type { RealtimeEvents } from "../events.ts";
import { FRAME_CODECS } from "../frame-codec.ts";
import { RETRY_AFTER_OUTAGE_MS } from "../refusal.ts";
import { Session, type SessionContext } from "../session.ts";
import type { Sessions } from "../sessions.ts";
import type { Admission, createAdmission } from "./admission.ts";
import type { Door } from "./door.ts";
import type { Exchange } from "./exchange.ts";
import { type HttpAnswer, jsonAnswer, retryAfterSeconds } from "./http-answer.ts";
import type { TemplatedApp, Uws, UwsRequest, WebSocket } from "./uws.ts";

/**
 * Above the protocol's limit, so that a frame somewhat too large still gets its close code. The
 * library holds so much of an unfinished message, whatever its fragments.
 */
const PAYLOAD_BYTES_MAX = 40 * 1024;
/** Never reached by a session, which closes a slow reader long before. */
const BACKPRESSURE_BYTES_MAX = 1024 * 1024;
/** Two and a half ping intervals, in the library's steps of four seconds. */
const IDLE_TIMEOUT_S = 64;
/** The close code for a bug of ours (RFC 6455). */
const INTERNAL_ERROR = 1011;

type Connection = {
  sessionId: string;
  admitted: Admission & { kind: "admitted" };
  /** Empty before the upgrade is complete, and again once the socket has closed. */
  opened: { ws?: WebSocket<Connection> | undefined };
  session?: Session;
};

type WebsocketOptions = {
  admit: ReturnType<typeof createAdmission>;
  sessions: Sessions;
  leases: Pick<LeaseKeeper, "keep" | "giveBack">;
  context: SessionContext;
  events: RealtimeEvents;
  telemetry: HttpTelemetry;
  log: Logger;
};

/** Serves websockets: turns what the library reports into events of a session, and nothing more. */
export function addWebsocketRoute(
  uws: Uws,
  app: TemplatedApp,
  door: Pick<Door, "receiveUpgrade">,
  options: Pick<WebsocketOptions, "sessions" | "leases" | "events" | "log">,
): void {
  const { sessions, leases, events, log } = options;

  const guard = (ws: WebSocket<Connection>, work: (session: Session) => void) => {
    const { session } = ws.getUserData();
    if (session !== undefined) runGuarded(ws, log, () => work(session));
  };

  app.ws<Connection>(REALTIME_PATH, {
    compression: uws.DISABLED,
    maxPayloadLength: PAYLOAD_BYTES_MAX,
    maxBackpressure: BACKPRESSURE_BYTES_MAX,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: true,

    upgrade: (response, request, socketContext) =>
      door.receiveUpgrade(response, request, socketContext),

    // Nothing is sent before the library has finished the upgrade.
    open(ws) {
      ws.getUserData().opened.ws = ws;
    },

    message: (ws, data, isBinary) =>
      guard(ws, (session) => session.receive(new Uint8Array(data), isBinary)),

    // The library has answered a ping already.
    ping: (ws) => guard(ws, (session) => session.receiveControl()),
    pong: (ws) => guard(ws, (session) => session.receiveControl()),

    drain: (ws) => guard(ws, (session) => session.drained()),

    close(ws, code) {
      const { opened, session, sessionId } = ws.getUserData();
      opened.ws = undefined;
      if (session === undefined) return leases.giveBack(sessionId);
      sessions.delete(session);
      leases.giveBack(session.id);
      session.closed();
      events.closed(code);
    },
  });
}

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
        const connection: Connection = { sessionId, admitted: admission, opened: {} };
        exchange.upgrade(connection, admission.key, admission.echo);
        const { ws } = connection.opened;
        if (ws === undefined) leases.giveBack(sessionId);
        else beginSession(options, ws);
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

/** Gives an upgraded connection its session. */
function beginSession(options: WebsocketOptions, ws: WebSocket<Connection>): void {
  const { sessions, leases, context, events, log } = options;
  const connection = ws.getUserData();
  const { client, place, subprotocol } = connection.admitted;
  const codec = FRAME_CODECS[subprotocol];
  const socket = {
    send: (data: Uint8Array, isBinary: boolean) => void ws.send(data, isBinary, false),
    bufferedBytes: () => ws.getBufferedAmount(),
    end: (code: number, reason: string) => ws.end(code, reason),
  };
  const session = new Session({ id: connection.sessionId, client, codec }, socket, context);
  connection.session = session;
  leases.keep(place, () => session.dismiss("connection_limit", place.lease.ttlMs));
  events.opened();
  runGuarded(ws, log, () => session.open());
  sessions.add(session);
}

/** A bug that shows in one session ends that session, not the process. */
function runGuarded(ws: WebSocket<Connection>, log: Logger, work: () => void): void {
  try {
    work();
  } catch (error) {
    log.error({ err: error, session: ws.getUserData().sessionId }, "a session failed");
    ws.end(INTERNAL_ERROR, "internal error");
  }
}

/** Measures how long an upgrade waits, and traces it without trusting what the client says of it. */
async function decideUpgrade(
  telemetry: HttpTelemetry,
  { headers }: UwsRequest,
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
