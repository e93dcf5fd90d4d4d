import type { Topology } from "../edge-config.ts";
import { PRIVATE_PORTS } from "../edge-policy.ts";
import { NEIGHBOURING_PATHS, OPERATOR_PATHS, PRIVATE_PATHS } from "../private-paths.ts";

/** Headers with which an edge must not let a client speak; the CDN's own ones included. */
export const CLAIMS_CLEARED = [
  "Forwarded",
  "X-Client-IP",
  "True-Client-IP",
  "CF-Connecting-IP",
] as const;

/** Headers that an edge sets beside X-Forwarded-For; behind cdn-append X-Real-IP may be absent. */
export const IDENTITY_HEADERS = ["X-Real-IP", "X-Forwarded-Proto"] as const;

/** Two of the gateway's ping intervals of 25 s: one lost ping must not end a session. */
export const REALTIME_TIMEOUT_SECONDS_MIN = 50;

/** The whole head that Node, and so every service but the gateway, accepts. */
export const HEAD_BYTES_MAX = 16_384;

/**
 * Paths that are not for browsers: what services answer, and what a loose pattern would let in.
 * What operators call beside browsers is not among them: auth answers it on AUTH_ADMIN_PORT alone,
 * which no line may forward to (`private-port`), and 404 at the port of browsers.
 */
export const INTERNAL_PATHS: readonly string[] = [...PRIVATE_PATHS, ...NEIGHBOURING_PATHS].filter(
  (path) => !OPERATOR_PATHS.includes(path),
);

/** The variable of a port that no edge may forward to; undefined for every other. */
export function privatePortName(port: number): string | undefined {
  return Object.entries(PRIVATE_PORTS).find(([, known]) => known === port)?.[0];
}

/** Beneath these a location may forward everything: each is a browser's route, or all of one. */
const PUBLIC_STEMS = [
  "/portcullis.auth.v1.AuthService/",
  "/portcullis.auth.v1.DatasourceService/",
  "/.well-known/jwks.json",
  "/gateway/realtime",
  "/console/",
] as const;

/**
 * Whether a path is a browser's. Whole services count, and what lies beneath a route: rendered
 * edges are stricter, but a service answers 404 to the difference.
 */
export function isPublicPath(path: string): boolean {
  return PUBLIC_STEMS.some((stem) => {
    return path === stem || path.startsWith(stem.endsWith("/") ? stem : `${stem}/`);
  });
}

/** The same for a path that was written without regard to case. */
export function isPublicInAnyCase(path: string): boolean {
  const lower = path.toLowerCase();
  return PUBLIC_STEMS.some((stem) => {
    const start = stem.toLowerCase();
    return lower === start || lower.startsWith(start.endsWith("/") ? start : `${start}/`);
  });
}

/** What to do about a part that cannot be judged here. */
export const PROVE =
  "prove it: send a request with a false X-Forwarded-For through the running proxy, as npm run rollout -- probe does";

/** Why a value was not judged. */
export const UNKNOWN_VALUE =
  "what this makes of X-Forwarded-For is known to the running proxy alone, so it was not judged";

/** What services make of an address with its port, by how it is written. */
export const PORT_BEHIND = {
  "with-port":
    "for IPv4 clients this is right; behind an IPv6 address without brackets the port cannot be told from the address, so IPv6 clients are in doubt and share one bucket, or are taken for a neighbouring address",
  bracketed:
    "for IPv6 clients this is right; an IPv4 address in brackets is no address to the services, so IPv4 clients are in doubt and share one bucket",
} as const;

/** Where a balancer in front ends TLS, this proxy's own scheme is not the client's. */
export function mendScheme(own: string, balancers: string): string {
  return `${own} where clients connect to this proxy, ${balancers} where a balancer in front of it ends TLS`;
}

/** What an overwriting, an appending and a resolving edge are called in a message. */
export function describeTopology(topology: Topology): string {
  const texts = {
    direct: "clients connect to this proxy, so the address is the connection's",
    cdn: "a CDN connects to this proxy, so the address comes from its header, for its addresses",
    "cdn-append":
      "a CDN connects to this proxy, which appends for the CDN's addresses and overwrites for others",
  } as const;
  return texts[topology];
}
