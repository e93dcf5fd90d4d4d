import { PUBLIC_RPC_PATTERN } from "./public-rpcs.ts";

/** What every edge does, whichever proxy it is: the renderers and the linter read it from here. */

/** Where an edge forwards to; the console is optional. */
export type Upstream = "auth" | "gateway" | "console";

/** One public route. Everything that is not one is answered with 404. */
export type Route = {
  name: string;
  upstream: Upstream;
  /**
   * The whole path, spelled literally: no percent sign, no empty or dotted segment can match, so
   * what the edge saw is what the service sees, and no `/../` reaches an internal endpoint.
   */
  pattern: string;
  /** Whether a websocket upgrade is forwarded here; on every other route it is taken away. */
  upgrade: boolean;
};

const CONSOLE_SEGMENT = "[A-Za-z0-9_-][A-Za-z0-9._-]*";

/** The routes of browsers, in the syntax that PCRE, RE2 and JavaScript agree on. */
export const ROUTES: readonly Route[] = [
  {
    name: "api",
    upstream: "auth",
    pattern: PUBLIC_RPC_PATTERN,
    upgrade: false,
  },
  { name: "jwks", upstream: "auth", pattern: "^/\\.well-known/jwks\\.json$", upgrade: false },
  { name: "realtime", upstream: "gateway", pattern: "^/gateway/realtime$", upgrade: true },
  { name: "why", upstream: "gateway", pattern: "^/gateway/realtime/why$", upgrade: false },
  {
    name: "console",
    upstream: "console",
    pattern: `^/console/(${CONSOLE_SEGMENT}(/${CONSOLE_SEGMENT})*/?)?$`,
    upgrade: false,
  },
];

/** Ports on which services and operators alone are answered; no edge forwards to them. */
export const PRIVATE_PORTS = { AUTH_ADMIN_PORT: 4005, GATEWAY_RPC_PORT: 8002 } as const;

/** Where browsers open the websocket. */
export const REALTIME_PATH = "/gateway/realtime";

/**
 * Headers in which clients and other people's proxies name an address or an origin. The edge says
 * who the client is in X-Forwarded-For, X-Real-IP and X-Forwarded-Proto; these never get past it.
 */
export const CLAIM_HEADERS: readonly string[] = [
  "Forwarded",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Server",
  "X-Original-Forwarded-For",
  "X-Client-IP",
  "X-Cluster-Client-IP",
  "X-Envoy-External-Address",
  "True-Client-IP",
  "CF-Connecting-IP",
  "CF-Connecting-IPv6",
  "Fastly-Client-IP",
  "Fly-Client-IP",
  "DO-Connecting-IP",
  "X-Azure-ClientIP",
  "X-Azure-SocketIP",
];

/** How many trusted proxies the services behind each topology see. */
export const HOPS = { direct: 1, cdn: 1, "cdn-append": 2 } as const;

/** Three of the gateway's ping intervals of 25 s, so that two lost pings do not end a session. */
export const REALTIME_IDLE_SECONDS = 75;

/** A login waits for a password hash and a limiter decision, both bounded below this. */
export const REQUEST_SECONDS = 30;

/** What a reload leaves to requests that are under way; none of them takes longer. */
export const DRAIN_SECONDS = 30;

/** Long enough for a phone on a bad network, short enough that slow headers hold nothing. */
export const HEADER_SECONDS = 10;

/**
 * The largest head: 16 KiB of cookies, which are dropped here, and what a browser sends beside them.
 * What is longer gets 431 with a body.
 */
export const HEAD_BYTES_MAX = 18 * 1024;

/** What is longer than this gets the proxy's own answer, or none: no buffer holds it. */
export const HEAD_BUFFER_BYTES = 64 * 1024;

/** The largest head without cookies that is worth forwarding: what services take. */
export const FORWARDED_HEAD_BYTES_MAX = 16 * 1024;

/** The gateway's parser takes 98 header lines; the edge adds up to six. */
export const HEADER_LINES_MAX = 90;

/** The largest request of a browser route is a few hundred bytes of JSON. */
export const BODY_KIB_MAX = 64;
