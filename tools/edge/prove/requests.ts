import { HEAD_BYTES_MAX } from "../edge-policy.ts";
import { PUBLIC_RPC_PATHS } from "../public-rpcs.ts";
import { type HeaderLine, SPOOFED_V4, SPOOFED_V4_TOO, SPOOFED_V6, SPOOFS } from "../spoof.ts";
import type { ClientInputs } from "./client-inputs.ts";
import type { RawRequest } from "./raw-request.ts";

/** A route on which an edge is asked, plain or with an upgrade. */
export type ProveRoute = { method: "GET" | "POST"; path: string; isUpgrade: boolean };

/** Every route of browsers. */
export const BROWSER_ROUTES: readonly ProveRoute[] = [
  ...PUBLIC_RPC_PATHS.map((path) => ({ method: "POST" as const, path, isUpgrade: false })),
  { method: "GET", path: "/.well-known/jwks.json", isUpgrade: false },
  { method: "GET", path: "/gateway/realtime/why", isUpgrade: false },
  { method: "GET", path: "/gateway/realtime", isUpgrade: false },
  { method: "GET", path: "/gateway/realtime", isUpgrade: true },
  { method: "GET", path: "/console/", isUpgrade: false },
];

/** One way of lying about an address. */
export type Lie = {
  id: string;
  headers: readonly HeaderLine[];
  /** Put behind the path. */
  query?: string;
  body?: string;
};

export const HONEST: Lie = { id: "honest", headers: [] };

const XFF = "X-Forwarded-For";

/** Lies that no spelling of a spoof tells: about headers beside the address. */
const BESIDE: readonly Lie[] = [
  { id: "x-forwarded-proto", headers: [["X-Forwarded-Proto", "wss"]] },
  {
    id: "underscores",
    headers: [
      ["X_Forwarded_For", SPOOFED_V4],
      ["X_Real_IP", SPOOFED_V4],
    ],
  },
  {
    id: "nominated",
    headers: [
      [XFF, SPOOFED_V4],
      ["Connection", "X-Forwarded-For, X-Real-IP"],
    ],
  },
];

/** Everything that clients are known to claim, and what this file reads beside it. */
export function liesFor(inputs: ClientInputs): readonly Lie[] {
  const known = SPOOFS.filter(({ id }) => !["nominated", "underscores"].includes(id));
  const headers = inputs.headers.flatMap((name): Lie[] => [
    { id: `header ${name}`, headers: [[name, SPOOFED_V4]] },
    {
      id: `header ${name} with a list`,
      headers: [
        [name, SPOOFED_V4],
        [XFF, SPOOFED_V4],
      ],
    },
  ]);
  const parameters = inputs.parameters.flatMap((name): Lie[] => [
    { id: `query ${name}`, headers: [], query: `?${name}=${SPOOFED_V4}` },
    {
      id: `body ${name}`,
      headers: [["Content-Type", "application/x-www-form-urlencoded"]],
      body: `${name}=${SPOOFED_V4}`,
    },
  ]);
  const everything: Lie = {
    id: "all that the file reads",
    headers: inputs.headers.map((name) => [name, SPOOFED_V4]),
  };
  return [...known, ...BESIDE, ...headers, ...parameters, everything];
}

/** The lies that are worth a request on every route. */
export function sampleOf(lies: readonly Lie[]): readonly Lie[] {
  const kept = ["one-entry", "two-lines", "everything-at-once", "forwarded", "true-client-ip"];
  return lies.filter(({ id }) => kept.includes(id) || id.startsWith("all that"));
}

/** Whether a text holds an address that only a client of the proof can have written. */
export function isClaimed(text: string): boolean {
  return [SPOOFED_V4, SPOOFED_V4_TOO, SPOOFED_V6].some((address) => text.includes(address));
}

const HANDSHAKE = [
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** The bytes of one lie on one route. */
export function requestOf(route: ProveRoute, hostName: string, lie: Lie): RawRequest {
  const nominated = lie.headers.filter(([name]) => name === "Connection").map(([, value]) => value);
  const others = lie.headers.filter(([name]) => name !== "Connection");
  const connection = [...(route.isUpgrade ? ["Upgrade"] : []), ...nominated];
  const isPost = route.method === "POST" || lie.body !== undefined;
  const body = isPost ? (lie.body ?? "{}") : "";
  const hasType = others.some(([name]) => name === "Content-Type");
  const headerLines = [
    `Host: ${hostName}`,
    ...others.map(([name, value]) => `${name}: ${value}`),
    ...(route.isUpgrade ? HANDSHAKE : []),
    ...(connection.length > 0 ? [`Connection: ${connection.join(", ")}`] : []),
    ...(isPost && !hasType ? ["Content-Type: application/json"] : []),
    ...(isPost ? [`Content-Length: ${body.length}`] : []),
  ];
  const method = lie.body === undefined ? route.method : "POST";
  return {
    method,
    target: `${route.path}${lie.query ?? ""}`.slice(0, HEAD_BYTES_MAX),
    headerLines,
    body,
  };
}
