import { setMaxListeners } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ConnectRouter, createContextValues, type Interceptor } from "@connectrpc/connect";
import { type Credentials, callerKey } from "./caller.ts";
import type { ProxyTrust } from "./client-identity.ts";
import { systemClock } from "./clock.ts";
import { observeDependencies } from "./dependency-metrics.ts";
import { createDoorEvents } from "./door-events.ts";
import { createDoorServer } from "./door-server.ts";
import type { Logger } from "./log.ts";
import { peerKey, peerOf } from "./peer.ts";
import { PROBE_HEADER } from "./probe.ts";
import type { ProbeMemory } from "./probe-memory.ts";
import {
  answerRpc,
  createRpcHandlers,
  findMessageProblem,
  liftVerbatim,
  type RpcHandler,
  takesContentType,
} from "./rpc-handlers.ts";
import type { DoorKind } from "./way-in/door-bounds.ts";
import { findJsonProblem } from "./way-in/json-bounds.ts";
import {
  badMessage,
  noSuchRoute,
  type Refusal,
  sendRefusal,
  wrongContentType,
  wrongMethod,
} from "./way-in/refusal.ts";
import { PLAIN_GET, type RoutePolicies, type RoutePolicy } from "./way-in/route-policy.ts";
import { type Passed, WayIn } from "./way-in/way-in.ts";

/** An admitted plain HTTP request. */
export type HttpCall = {
  request: IncomingMessage;
  response: ServerResponse;
  /** The service that calls; empty for a stranger. */
  caller: string;
  /** The whole body, decompressed. */
  body: Buffer;
};

export type HttpHandler = (call: HttpCall) => Promise<void> | void;

export type ServeOptions = {
  /** The name of the door, for metrics. */
  door: string;
  kind: DoorKind;
  host: string;
  port: number;
  log: Logger;
  /** The policies of all routes of the door except health. */
  policies: RoutePolicies;
  /** The services whose tokens the door knows. */
  callers: Credentials;
  trust: ProxyTrust;
  /** RPCs; those without a policy are not served. */
  routes: (router: ConnectRouter) => void;
  /** The first one is the outermost. */
  interceptors: Interceptor[];
  /** Plain HTTP routes beside the RPCs, by `METHOD /path`. */
  httpRoutes?: Readonly<Record<string, HttpHandler>>;
  /** Runs before each request, for CORS. Returns true if it has answered. */
  before?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Remembers the operator's probes, on every route. */
  probes?: ProbeMemory;
  /** The status for a caller over its own share; 429 by default. */
  overShareStatus?: 429 | 503;
  /** The health of dependencies, as information; never at a public door. */
  dependencies?: () => Readonly<Record<string, string>>;
};

export type RunningServer = {
  port: number;
  /** Reports not ready, finishes requests in flight within the grace period, then closes. */
  stop(): Promise<void>;
};

type Route =
  | { policy: RoutePolicy; kind: "rpc"; handler: RpcHandler }
  | { policy: RoutePolicy; kind: "plain"; handler: HttpHandler };

/** OPTIONS is answered only where these are the allowed methods. */
const ALLOWS_READING = "GET, HEAD";

/** The health of the process and, at an internal door, of its dependencies. */
const HEALTH: RoutePolicies = { "GET /healthz": PLAIN_GET, "GET /readyz": PLAIN_GET };

/** Opens a door: RPCs, plain routes, `/healthz` and `/readyz` on one HTTP/1.1 port. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { door, log, callers, trust, overShareStatus = 429 } = options;
  const shutdown = new AbortController();
  // Every call in flight adds a listener, so their number is no leak.
  setMaxListeners(0, shutdown.signal);
  if (options.dependencies !== undefined) observeDependencies(door, options.dependencies);
  const wayIn = new WayIn({ callers, trust, clock: systemClock, overShareStatus });
  const routes = createRoutes(options, {
    isDraining: () => shutdown.signal.aborted,
    shutdownSignal: shutdown.signal,
  });
  const methods = methodsByPath(routes);

  const findRoute = (request: IncomingMessage): Route | Refusal => {
    const path = request.url?.split("?", 1)[0] ?? "";
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = routes.get(`${method} ${path}`);
    if (route !== undefined) return route;
    const allowed = methods.get(path);
    return allowed === undefined ? noSuchRoute() : wrongMethod(allowed);
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const probe = request.headers[PROBE_HEADER];
    if (typeof probe === "string") options.probes?.observe(peerOf(request), probe);
    if (options.before?.(request, response)) return;
    const refuse = (refusal: Refusal) => {
      events.refused(refusal.step);
      sendRefusal(request, response, refusal);
    };
    const route = findRoute(request);
    if ("step" in route) {
      const allow = route.headers?.["allow"];
      if (request.method === "OPTIONS" && allow === ALLOWS_READING) {
        response.writeHead(204, { allow }).end();
        return;
      }
      return refuse(route);
    }
    const verdict = await wayIn.pass(request, response, route.policy);
    if (verdict.kind === "gone") return;
    if (verdict.kind === "refused") return refuse(verdict.refusal);
    if (verdict.caller !== "") server.prove(request.socket);
    try {
      const refusal = await handle(route, verdict, { request, response });
      if (refusal !== undefined) refuse(refusal);
    } finally {
      verdict.release();
    }
  };

  const server = createDoorServer(
    { kind: options.kind, trust, onClosed: (count) => events.refused("connections", count) },
    (request, response) => {
      answer(request, response).catch((error: unknown) => {
        // The client disconnected.
        if (response.destroyed || request.errored !== null) return;
        log.error({ err: error, path: request.url }, "a request could not be answered");
        response.destroy();
      });
    },
  );
  const events = createDoorEvents(door, {
    inFlight: () => wayIn.inFlight,
    connections: () => server.connections,
  });
  const port = await server.listen(options.host, options.port);

  return {
    port,
    async stop() {
      const closed = server.close();
      shutdown.abort();
      await closed;
    },
  };
}

/** Joins policies and handlers. Throws if a policy has no handler, or a plain route no policy. */
function createRoutes(
  options: ServeOptions,
  life: { isDraining: () => boolean; shutdownSignal: AbortSignal },
): ReadonlyMap<string, Route> {
  const { interceptors, dependencies, httpRoutes = {} } = options;
  const rpcs = createRpcHandlers({ routes: options.routes, interceptors, ...life });
  const health = (status: string) => ({
    status,
    ...(dependencies === undefined ? {} : { dependencies: dependencies() }),
  });
  const plain: Readonly<Record<string, HttpHandler>> = {
    ...httpRoutes,
    "GET /healthz": ({ response }) => sendJson(response, 200, health("alive")),
    "GET /readyz": ({ response }) =>
      life.isDraining()
        ? sendJson(response, 503, health("draining"))
        : sendJson(response, 200, health("ready")),
  };
  const routes = new Map<string, Route>();
  for (const [name, policy] of Object.entries({ ...options.policies, ...HEALTH })) {
    const rpc = rpcs.get(name);
    const handler = plain[name];
    if (rpc !== undefined) routes.set(name, { policy, kind: "rpc", handler: rpc });
    else if (handler !== undefined) routes.set(name, { policy, kind: "plain", handler });
    else throw new Error(`${name} has a policy at the door ${options.door}, and no handler`);
  }
  const unruled = Object.keys(plain).find((name) => !routes.has(name));
  if (unruled === undefined) return routes;
  throw new Error(`${unruled} has a handler at the door ${options.door}, and no policy`);
}

function methodsByPath(routes: ReadonlyMap<string, Route>): ReadonlyMap<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const name of routes.keys()) {
    const [method = "", path = ""] = name.split(" ");
    const known = methods.get(path) ?? [];
    methods.set(path, [...known, method, ...(method === "GET" ? ["HEAD"] : [])]);
  }
  return methods;
}

/** Handles an admitted request. Returns a refusal if its message cannot be read. */
async function handle(
  route: Route,
  { caller, peer, body }: Passed,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<Refusal | undefined> {
  if (route.kind === "plain") {
    const problem = findJsonProblem(body, route.policy);
    if (problem !== undefined) return badMessage(`body: ${problem}`);
    await route.handler({ request, response, caller, body });
    return undefined;
  }
  const { handler, policy } = route;
  const contentType = request.headers["content-type"];
  if (contentType === undefined || !takesContentType(handler, contentType)) {
    return wrongContentType();
  }
  const lifted = liftVerbatim(contentType, body, policy.verbatim);
  if (lifted.kind === "problem") return badMessage(lifted.problem);
  const problem = findMessageProblem(handler, contentType, lifted.bytes, policy);
  if (problem !== undefined) return badMessage(problem);
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const answer = await answerRpc(handler, {
    headers: request.headers,
    body: lifted.bytes,
    contextValues: createContextValues().set(peerKey, peer).set(callerKey, caller),
    signal: gone.signal,
  });
  if (response.destroyed) return undefined;
  // No cache may keep answers, which carry tokens, or errors.
  const headers = { ...answer.headers, "cache-control": "no-store" };
  response.writeHead(answer.status, headers).end(answer.body);
  return undefined;
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
