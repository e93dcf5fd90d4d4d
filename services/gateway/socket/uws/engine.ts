import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_socket_context_t,
  WebSocket,
} from "uWebSockets.js-20.69";
import { REALTIME_PATH } from "../../doors.ts";
import { DoorKeeper } from "../door.ts";
import {
  BACKPRESSURE_BYTES_MAX,
  type Door,
  type DoorOptions,
  type Engine,
  IDLE_TIMEOUT_S,
  PAYLOAD_BYTES_MAX,
} from "../engine.ts";
import type { Arrival, BeginSession, SocketEvents, Wire } from "../exchange.ts";
import { type HttpAnswer, statusText } from "../http-answer.ts";
import { addHeaderLine } from "../request-head.ts";
import { listen } from "./listen.ts";
import type { Uws } from "./load.ts";
import { openUncorked, type RunUncorked } from "./uncorked.ts";

/** The data that the library keeps with a websocket: it copies the outer object. */
type UserData = { opened: Opened };

type Opened = {
  /** Unset until the upgrade is complete, and after the socket has closed. */
  ws?: WebSocket<UserData> | undefined;
  events?: SocketEvents;
};

export function createUwsEngine(uws: Uws, version: string, reason: string): Engine {
  return { name: "uws", version, reason, openDoor: async (options) => await open(uws, options) };
}

/**
 * Opens the door on uWebSockets.
 *
 * Only the first event of a connection identifies it, so the response object of that event stands
 * for the connection. The library calls its `onData` right after the route's handler, also without
 * a body, and so tells which request belongs to it. It is never used after its end.
 */
async function open(uws: Uws, options: DoorOptions): Promise<Door> {
  const app = uws.App();
  const keeper = new DoorKeeper(options);
  const runUncorked = await openUncorked(uws);
  let arrived: { arrival: Arrival; context: us_socket_context_t | undefined } | undefined;

  const receive = (
    response: HttpResponse,
    request: HttpRequest,
    context?: us_socket_context_t,
  ): void => {
    // Without a chunk there is no `onData`: the request would count as another connection's.
    if (request.getHeader("transfer-encoding") !== "") return void response.close();
    const arrival = { copied: copyRequest(request), isUpgrade: context !== undefined };
    arrived = { arrival, context };
  };

  // Reports every connection before its first byte. It reports ends, too, but not whose.
  const observe = app.filter.bind(app);
  observe((response, change) => {
    if (Number(change) <= 0) return;
    const wire = new UwsWire(response, runUncorked);
    const connection = keeper.meet(wire, decoder.decode(response.getRemoteAddressAsText()));
    response.onAborted(() => connection.end());
    response.onData((chunk, isLast) => {
      wire.context ??= arrived?.context;
      const arrival = arrived?.arrival;
      arrived = undefined;
      keeper.receive(connection, { arrival, bytes: chunk.byteLength, isLast });
    });
  });
  addWebsocketRoute(uws, app, receive);
  app.any("/*", (response, request) => receive(response, request));
  const server = await listen(uws, app, options.host, options.port);

  return {
    port: server.port,
    close() {
      server.close();
      keeper.close();
    },
  };
}

function addWebsocketRoute(
  uws: Uws,
  app: TemplatedApp,
  upgrade: (
    response: HttpResponse,
    request: HttpRequest,
    socketContext: us_socket_context_t,
  ) => void,
): void {
  app.ws<UserData>(REALTIME_PATH, {
    compression: uws.DISABLED,
    maxPayloadLength: PAYLOAD_BYTES_MAX,
    maxBackpressure: BACKPRESSURE_BYTES_MAX,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: true,
    upgrade,
    // The session must not send before the library has finished the upgrade.
    open(ws) {
      ws.getUserData().opened.ws = ws;
    },
    message: (ws, data, isBinary) =>
      ws.getUserData().opened.events?.message(new Uint8Array(data), isBinary),
    // The library has already answered the ping.
    ping: (ws) => ws.getUserData().opened.events?.control(),
    pong: (ws) => ws.getUserData().opened.events?.control(),
    drain: (ws) => ws.getUserData().opened.events?.drained(),
    close(ws, code) {
      const { opened } = ws.getUserData();
      opened.ws = undefined;
      opened.events?.closed(code);
    },
  });
}

class UwsWire implements Wire {
  /** Set for a handshake on the websocket route. */
  context: us_socket_context_t | undefined;
  readonly #response: HttpResponse;
  readonly #runUncorked: RunUncorked;

  constructor(response: HttpResponse, runUncorked: RunUncorked) {
    this.#response = response;
    this.#runUncorked = runUncorked;
  }

  send({ status, headers, body }: HttpAnswer, { isHead }: { isHead: boolean }): void {
    const response = this.#response;
    response.cork(() => {
      response.writeStatus(statusText(status));
      for (const [name, value] of headers) response.writeHeader(name, value);
      // With a content-length for a body that must not follow, the answer would never be complete.
      response.end(isHead || status === 204 ? "" : body, true);
    });
  }

  upgrade({ key, subprotocol }: { key: string; subprotocol: string }, begin: BeginSession) {
    const { context } = this;
    if (context === undefined) return false;
    const userData: UserData = { opened: {} };
    this.#runUncorked(() => this.#response.upgrade(userData, key, subprotocol, "", context));
    return beginSession(userData.opened, begin);
  }
}

/** Gives an upgraded connection its session, unless it has closed already. */
function beginSession(opened: Opened, begin: BeginSession): boolean {
  const { ws } = opened;
  if (ws === undefined) return false;
  opened.events = begin({
    send: (data, isBinary) => void ws.send(data, isBinary, false),
    bufferedBytes: () => ws.getBufferedAmount(),
    end: (code, reason) => ws.end(code, reason),
  });
  opened.events.opened();
  return true;
}

const decoder = new TextDecoder();

/** Copies a request. Must be called before the handler returns or awaits. */
function copyRequest(request: HttpRequest): Arrival["copied"] {
  const headers = new Map<string, string[]>();
  // getHeader() would return the first line only.
  request.forEach((name, value) => void addHeaderLine(headers, name, value));
  return {
    method: request.getCaseSensitiveMethod().toUpperCase(),
    path: request.getUrl(),
    headers,
  };
}
