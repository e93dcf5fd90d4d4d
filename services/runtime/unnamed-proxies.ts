import type { ProxyTrust } from "./client-identity.ts";
import type { Logger } from "./log.ts";

/**
 * Warns once, at startup, that hops alone believe any client that reaches the port. In development
 * only this machine does, so it stays silent.
 */
export function warnOfUnnamedProxies(
  { listen, trust }: { listen: { isDevelopment: boolean }; trust: ProxyTrust },
  log: Pick<Logger, "warn">,
): void {
  if (listen.isDevelopment || trust.hops === 0 || trust.trustedProxies !== undefined) return;
  log.warn(
    { hops: trust.hops },
    "Security limiter warning: trust proxy hops are configured without TRUSTED_PROXY_CIDRS; whoever reaches this port can say which client it is. Set it to the addresses of the proxies, which `rollout align` measures.",
  );
}
