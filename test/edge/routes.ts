import type { RawRequest } from "../../tools/edge/prove/raw-request.ts";
import type { HostileRequest } from "./hostile-requests.ts";

/** A way into the system that an edge keeps open. */
export type EntryRoute = { name: string; method: string; path: string; upgrade: boolean };

export const API: EntryRoute = {
  name: "api",
  method: "POST",
  path: "/portcullis.auth.v1.AuthService/Login",
  upgrade: false,
};

export const REALTIME: EntryRoute = {
  name: "realtime",
  method: "GET",
  path: "/gateway/realtime",
  upgrade: true,
};

/** Those that are not tried with every request. */
export const OTHER_ROUTES: readonly EntryRoute[] = [
  {
    name: "mint",
    method: "POST",
    path: "/portcullis.auth.v1.DatasourceService/MintToken",
    upgrade: false,
  },
  {
    name: "mint several",
    method: "POST",
    path: "/portcullis.auth.v1.DatasourceService/MintTokens",
    upgrade: false,
  },
  { name: "jwks", method: "GET", path: "/.well-known/jwks.json", upgrade: false },
  { name: "why", method: "GET", path: "/gateway/realtime/why", upgrade: false },
  { name: "console", method: "GET", path: "/console/assets/main-1a2b.js", upgrade: false },
];

const HANDSHAKE = [
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** The hostile header lines on one route, with all that the route needs. */
export function requestOn(route: EntryRoute, hostile: HostileRequest): RawRequest {
  const purpose = route.upgrade ? ["Upgrade"] : [];
  const connection = [...purpose, ...(hostile.nominated ?? [])];
  return {
    method: route.method,
    target: route.path,
    headerLines: [
      "Host: edge.example",
      ...hostile.lines,
      ...(route.upgrade ? HANDSHAKE : []),
      ...(connection.length > 0 ? [`Connection: ${connection.join(", ")}`] : []),
      ...(route.method === "POST" ? ["Content-Type: application/json", "Content-Length: 0"] : []),
    ],
  };
}
