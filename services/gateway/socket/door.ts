import type { RealtimeEvents } from "../events.ts";
import { shareKeys } from "./address-shares.ts";
import type { ConnectionBounds } from "./connection-bounds.ts";
import { type Arrival, Connection, type Exchange } from "./exchange.ts";
import { jsonAnswer, retryAfterSeconds } from "./http-answer.ts";
import type { RunUncorked } from "./uncorked.ts";
import {
  copyRequest,
  type HttpRequest,
  type HttpResponse,
  onConnection,
  remoteOf,
  type TemplatedApp,
  type us_socket_context_t,
} from "./uws.ts";
import { WaitingConnections } from "./waiting-connections.ts";

/** Whoever is sent away from a full door may come back after this. */
const RETRY_AFTER_FULL_MS = 1_000;

export type Door = {
  /** To be called by the library's websocket route, with what that is given. */
  receiveUpgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void;
  /** Sends everybody away whose request is not there yet. */
  close(): void;
};

/**
 * Keeps the public door: it counts the connections before anything was sent on them, gives each the
 * same time for its request whatever the pieces, and takes one request from each.
 *
 * The library names a connection in no event but the first, so the object of that event is the
 * connection from then on: it is told of its request by `onData`, which the library calls straight
 * after the route's handler, also when there is no body. It is never used once it has ended.
 */
export function openDoor(
  app: TemplatedApp,
  options: {
    bounds: ConnectionBounds;
    runUncorked: RunUncorked;
    /** Whether a peer is a proxy, which connects for many clients. */
    isProxy(remote: string): boolean;
    events: Pick<RealtimeEvents, "shed">;
    route(exchange: Exchange): void;
  },
): Door {
  const { bounds, runUncorked, isProxy, events, route } = options;
  const waiting = new WaitingConnections<Connection>(bounds);
  let arrival: Arrival | undefined;

  const receive = (
    response: HttpResponse,
    request: HttpRequest,
    context?: us_socket_context_t,
  ): void => {
    // Without a chunk there is no `onData`, and the request would be taken for another's.
    if (request.getHeader("transfer-encoding") !== "") return void response.close();
    arrival = { copied: copyRequest(request), context };
  };
  const takeArrival = () => {
    const arrived = arrival;
    arrival = undefined;
    return arrived;
  };

  const meet = (response: HttpResponse) => {
    const remote = remoteOf(response);
    const shareKey = isProxy(remote) ? undefined : shareKeys(remote).own;
    const connection = new Connection(runUncorked, response, { remote, shareKey }, (event) => {
      waiting.delete(connection);
      if (event === "late") events.shed("slow_request");
    });
    response.onAborted(() => connection.end());
    response.onData((chunk, isLast) => {
      const arrived = takeArrival();
      if (connection.receive(arrived, chunk.byteLength, isLast)) {
        // Whatever comes of the request happens outside of the library's parser.
        setImmediate(() => {
          if (connection.isOpen) route(connection);
        });
      }
    });
    const surplus = waiting.add(connection);
    if (surplus === undefined) return;
    events.shed(surplus.bound === "address" ? "connections_address" : "connections");
    surplus.connection.answer(surplus.bound === "address" ? TOO_MANY : FULL);
  };

  onConnection(app, meet);
  app.any("/*", (response, request) => receive(response, request));

  return {
    receiveUpgrade: receive,
    close() {
      for (const connection of waiting.all()) connection.answer(FULL);
    },
  };
}

const RETRY_AFTER = { "retry-after": retryAfterSeconds(RETRY_AFTER_FULL_MS) };
const FULL = jsonAnswer(503, { code: "unavailable", message: "too many connections" }, RETRY_AFTER);
const TOO_MANY = jsonAnswer(
  429,
  { code: "rate_limited", message: "too many connections without a request" },
  RETRY_AFTER,
);
