import type { ProxyTrust } from "./client-identity.ts";
import type { Logger } from "./log.ts";

/**
 * Says once, at the start, that hops alone believe whoever reaches the port. In development that is
 * this machine alone.
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
