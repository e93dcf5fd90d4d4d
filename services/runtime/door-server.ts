import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, Socket } from "node:net";
import type { ProxyTrust } from "./client-identity.ts";
import { cidrContains, parseIpAddress } from "./ip-address.ts";
import { ConnectionCaps, type PeerKind } from "./way-in/connection-caps.ts";
import {
  BODY_TIMEOUT_MS,
  connectionBounds,
  type DoorKind,
  HEAD_BYTES_MAX,
  HEAD_CHECK_MS,
  HEAD_LINES_MAX,
  HEAD_TIMEOUT_MS,
  STALLED_TIMEOUT_MS,
} from "./way-in/door-bounds.ts";

export type DoorServer = {
  /** Open connections. */
  readonly connections: number;
  /** Marks a connection as used by a known caller, so that it is not closed for a new one. */
  prove(socket: Socket): void;
  /** Resolves to the port. */
  listen(host: string, port: number): Promise<number>;
  /** Finishes requests in flight within the grace period, then closes. */
  close(): Promise<void>;
};

/** No call of ours takes longer. The door cuts connections that are still open after it. */
const STOP_GRACE_MS = 5_000;
/** Proxies keep idle connections for about a minute; ours must outlive theirs. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** An HTTP/1.1 server with bounds on connections and heads. It closes connections over a bound. */
export function createDoorServer(
  options: { kind: DoorKind; trust: ProxyTrust; onClosed: (connections: number) => void },
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): DoorServer {
  const caps = new ConnectionCaps(connectionBounds(options.kind));
  let isClosing = false;
  const serverOptions = {
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: HEAD_TIMEOUT_MS + BODY_TIMEOUT_MS,
    connectionsCheckingInterval: HEAD_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // The Host header is not used.
    requireHostHeader: false,
  };
  const begin = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    caps.began(socket);
    if (isClosing || caps.isOld(socket, performance.now())) {
      response.setHeader("connection", "close");
    }
    response.once("close", () => {
      caps.ended(socket);
      // A connection whose request was in flight at the stop becomes idle only now.
      if (isClosing) setImmediate(() => server.closeIdleConnections());
    });
    handle(request, response);
  };
  const server = createServer(serverOptions, begin);
  server.on("checkContinue", begin);
  // One more than allowed, so that the way in sees the excess and refuses it.
  server.maxHeadersCount = HEAD_LINES_MAX + 1;
  server.setTimeout(STALLED_TIMEOUT_MS);
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const kind = kindOfPeer(address, options.trust);
    const closed = caps.admit(socket, address, kind, performance.now());
    if (closed > 0) options.onClosed(closed);
  });
  server.on("clientError", (error: Error & { code?: string }, stream) => {
    const isAnswering = stream instanceof Socket && (caps.find(stream)?.requests ?? 0) > 0;
    if (!stream.writable || isAnswering) stream.destroy();
    else stream.end(rawAnswer(error.code ?? ""));
  });

  return {
    get connections() {
      return caps.size;
    },
    prove(socket) {
      const connection = caps.find(socket);
      if (connection !== undefined) connection.isProven = true;
    },
    async listen(host, port) {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host, port }, resolve);
      });
      const address = server.address() as AddressInfo;
      return address.port;
    },
    async close() {
      isClosing = true;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const grace = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
      await closed;
      clearTimeout(grace);
    },
  };
}

/** The kind of peer that the configuration expects at an address. */
function kindOfPeer(address: string, { hops, trustedProxies }: ProxyTrust): PeerKind {
  if (hops === 0) return "client";
  if (trustedProxies === undefined) return "maybe-proxy";
  const parsed = parseIpAddress(address);
  const isProxy = parsed !== undefined && trustedProxies.some((cidr) => cidrContains(cidr, parsed));
  return isProxy ? "proxy" : "client";
}

/** Builds the answer to bytes that are no request: there is no ServerResponse to write it. */
function rawAnswer(code: string): string {
  const [status, text] = RAW_ANSWERS[code] ?? MALFORMED;
  const name = "invalid_argument";
  const body = JSON.stringify({ code: name, error: name, message: text });
  const lines = [
    `HTTP/1.1 ${status}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

const MALFORMED = ["400 Bad Request", "the request is not HTTP/1.1"] as const;

const RAW_ANSWERS: Readonly<Record<string, readonly [string, string]>> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    `a head holds at most ${HEAD_BYTES_MAX} bytes`,
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["413 Content Too Large", "chunk extensions are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "the request was not complete in time"],
};
