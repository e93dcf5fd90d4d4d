import { setMaxListeners } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { tooLargeText } from "./bounded-requests.ts";
import type { Logger } from "./log.ts";
import { peerOf } from "./peer.ts";
import { PROBE_HEADER } from "./probe.ts";
import type { ProbeMemory } from "./probe-memory.ts";
import { createRpcListener } from "./rpc-listener.ts";

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

export type ServeOptions = {
  host: string;
  port: number;
  log: Logger;
  routes: (router: ConnectRouter) => void;
  /** The first one is the outermost. */
  interceptors: Interceptor[];
  /** Plain HTTP routes beside the RPCs, by `METHOD /path`. */
  httpRoutes?: Readonly<Record<string, HttpHandler>>;
  /** Looks at each request first; true when it has answered. For CORS. */
  before?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Remembers what the operator's probes show on every route. */
  probes?: ProbeMemory;
  /** The largest request message. */
  readBytesMax: number;
  /** The health of dependencies, as information; it never changes readiness. */
  dependencies?: () => Readonly<Record<string, string>>;
};

export type RunningServer = {
  port: number;
  /** Refuses readiness, finishes what is under way within the grace period, then closes. */
  stop(): Promise<void>;
};

/** No call of ours takes longer; what still runs after that is cut off. */
const STOP_GRACE_MS = 5_000;
/** Proxies keep idle connections for about a minute; ours must outlive theirs. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** Serves RPCs, plain routes, `/healthz` and `/readyz` on one HTTP/1.1 port. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  let draining = false;
  const health = (response: ServerResponse, ok: boolean, status: string) => {
    sendJson(response, ok ? 200 : 503, { status, dependencies: options.dependencies?.() ?? {} });
  };
  const httpRoutes: Readonly<Record<string, HttpHandler>> = {
    ...options.httpRoutes,
    "GET /healthz": (_request, response) => health(response, true, "alive"),
    "GET /readyz": (_request, response) =>
      health(response, !draining, draining ? "draining" : "ready"),
  };
  const shutdown = new AbortController();
  // Every call under way listens to it: their number is no leak.
  setMaxListeners(0, shutdown.signal);
  const { routes, interceptors, readBytesMax, log } = options;
  const shutdownSignal = shutdown.signal;
  const rpc = createRpcListener({ routes, interceptors, readBytesMax, shutdownSignal, log });
  const server = createServer((request, response) => {
    if (draining) response.setHeader("connection", "close");
    // What was under way when the stop began leaves a connection behind that is idle only now.
    response.once("close", () => {
      if (draining) setImmediate(() => server.closeIdleConnections());
    });
    const probe = request.headers[PROBE_HEADER];
    if (typeof probe === "string") options.probes?.observe(peerOf(request), probe);
    if (options.before?.(request, response)) return;
    const path = request.url?.split("?", 1)[0];
    const route = httpRoutes[`${request.method} ${path}`];
    if (route !== undefined) return route(request, response);
    // Not worth reading. What says nothing of its length is ended where it is read.
    if (Number(request.headers["content-length"]) > readBytesMax) {
      const refusal = { code: "invalid_argument", message: tooLargeText(readBytesMax) };
      return sendJson(response, 413, refusal, { connection: "close" });
    }
    rpc(request, response);
  });
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  const port = await listen(server, options.host, options.port);

  return {
    port,
    async stop() {
      draining = true;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      shutdown.abort();
      const grace = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
      await closed;
      clearTimeout(grace);
    },
  };
}

async function listen(
  server: ReturnType<typeof createServer>,
  host: string,
  port: number,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  const address = server.address() as AddressInfo;
  return address.port;
}

/** Answers with JSON that no cache may keep. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    ...headers,
  });
  response.end(JSON.stringify(body));
}
