import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { PAYLOAD_BYTES_MAX } from "../engine.ts";
import type { AcceptedHandshake, BeginSession } from "../exchange.ts";
import type { IdleSockets } from "./idle-sockets.ts";
import { OpenSocket } from "./open-socket.ts";

/** Turns a connection into a websocket; false when the client has gone. */
export type Upgrade = (
  request: IncomingMessage,
  socket: Socket,
  accepted: AcceptedHandshake,
  begin: BeginSession,
) => boolean;

/** How long a client may take to answer a close frame, and to end its half of the connection. */
const CLOSE_TIMEOUT_MS = 2_000;

const NOTHING = Buffer.alloc(0);

export function createUpgrader(idle: IdleSockets): Upgrade {
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: PAYLOAD_BYTES_MAX,
    // Pings are answered by OpenSocket, within the bound on waiting bytes.
    autoPong: false,
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
  const server = new WebSocketServer(options);

  return (request, socket, { key, subprotocol }, begin) => {
    // The gateway has checked the handshake; the library reads the checked values.
    const { headers } = request;
    headers.upgrade = "websocket";
    headers["sec-websocket-version"] = "13";
    headers["sec-websocket-key"] = key;
    delete headers["sec-websocket-protocol"];
    if (subprotocol !== "") headers["sec-websocket-protocol"] = subprotocol;
    let isOpened = false;
    server.handleUpgrade(request, socket, NOTHING, (ws) => {
      isOpened = true;
      new OpenSocket(ws, socket, idle).start(begin);
    });
    return isOpened;
  };
}
