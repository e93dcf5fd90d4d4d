import { randomBytes } from "node:crypto";
import { PUBLIC_RPCS } from "../public-rpcs.ts";
import type { HeaderLine } from "../spoof.ts";
import type { HttpCall } from "./call-http.ts";
import type { PublicServiceName } from "./deployment.ts";

/** One route that browsers use. */
export type PublicRoute = {
  /** Stable; part of check ids. */
  id: string;
  service: PublicServiceName;
  method: "GET" | "POST";
  path: string;
  isUpgrade: boolean;
};

const rpcRoutes = PUBLIC_RPCS.flatMap(({ service, methods }) =>
  methods.map((rpc): PublicRoute => {
    const id = `${service.split(".").at(-1)}.${rpc}`;
    return { id, service: "auth", method: "POST", path: `/${service}/${rpc}`, isUpgrade: false };
  }),
);

/** Every route that the edge forwards to a service. */
export const PUBLIC_ROUTES: readonly PublicRoute[] = [
  ...rpcRoutes,
  {
    id: "jwks",
    service: "auth",
    method: "GET",
    path: "/.well-known/jwks.json",
    isUpgrade: false,
  },
  {
    id: "why",
    service: "gateway",
    method: "GET",
    path: "/gateway/realtime/why",
    isUpgrade: false,
  },
  {
    id: "realtime.plain",
    service: "gateway",
    method: "GET",
    path: "/gateway/realtime",
    isUpgrade: false,
  },
  {
    id: "realtime.upgrade",
    service: "gateway",
    method: "GET",
    path: "/gateway/realtime",
    isUpgrade: true,
  },
];

/** The cheapest route of each service that tells who is calling. */
export const PROBE_ROUTES: Readonly<Record<PublicServiceName, PublicRoute>> = {
  auth: getRoute("jwks"),
  gateway: getRoute("realtime.upgrade"),
};

function getRoute(id: string): PublicRoute {
  const route = PUBLIC_ROUTES.find((candidate) => candidate.id === id);
  if (route === undefined) throw new Error(`there is no route ${id}`);
  return route;
}

/**
 * A request that reaches the service but consumes nothing there: RPCs carry an unknown content
 * type, and upgrades ask for a websocket version that the gateway does not speak.
 */
export function harmlessCall(
  baseUrl: string,
  route: PublicRoute,
  headers: readonly HeaderLine[],
): HttpCall {
  // A spoof may list headers in Connection, where an upgrade must be listed too.
  const nominated = headers.filter(([name]) => name === "Connection").map(([, value]) => value);
  const others = headers.filter(([name]) => name !== "Connection");
  const upgrade: HeaderLine[] = [
    ["Connection", ["Upgrade", ...nominated].join(", ")],
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Version", "12"],
    ["Sec-WebSocket-Key", randomBytes(16).toString("base64")],
  ];
  const plain: HeaderLine[] = [["Connection", ["close", ...nominated].join(", ")]];
  const call = {
    url: new URL(route.path, baseUrl),
    method: route.method,
    headers: [...(route.isUpgrade ? upgrade : plain), ...others],
  };
  if (route.method === "GET") return call;
  return { ...call, headers: [...call.headers, ["Content-Type", "text/plain"]], body: "probe" };
}
