import type { Topology } from "../edge-config.ts";

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

/** Paths that no browser needs, one of each kind, and two that a loose pattern would let in. */
export const INTERNAL_PATHS = [
  "/internal/gateway/datasource-introspect",
  "/portcullis.limiter.v1.LimiterService/Consume",
  "/portcullis.limiter.v1.PolicyService/Put",
  "/portcullis.realtime.v1.PublishService/Publish",
  "/portcullis.auth.v1.AccountService/Create",
  "/portcullis.auth.v1.GatewayService/WatchRevocations",
  "/portcullis.identity.v1.IdentityService/WhoIsCalling",
  "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
  "/metrics",
] as const;

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
