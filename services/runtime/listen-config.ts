import { findOriginProblem } from "./allowed-origins.ts";
import { HOPS_MAX } from "./client-ip.ts";
import type { EnvReader } from "./env.ts";
import { type Cidr, parseCidr } from "./ip-address.ts";
import { LOG_LEVELS } from "./log.ts";
import { readRevision } from "./release.ts";

const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

export type ListenConfig = ReturnType<typeof readListenConfig>;

/** Reads the hosts and ports for requests and metrics, the log level and the revision. */
export function readListenConfig(
  env: EnvReader,
  ports: { name: string; default: number; metricsName: string; metricsDefault: number },
) {
  return {
    isDevelopment: env.isDevelopment,
    host: readHost(env, "BIND_HOST"),
    port: readPort(env, ports.name, ports.default),
    metricsHost: readHost(env, "METRICS_HOST"),
    metricsPort: readPort(env, ports.metricsName, ports.metricsDefault),
    logLevel: env.oneOf("LOG_LEVEL", LOG_LEVELS, "info"),
    revision: readRevision(env),
  };
}

/** Reads a TCP port; 0 lets the system choose a free one. */
export function readPort(env: EnvReader, name: string, defaultPort: number): number {
  return env.integer(name, { min: 0, max: 65_535, default: defaultPort });
}

function readHost(env: EnvReader, name: string): string {
  const host = env.text(name, env.isDevelopment ? "127.0.0.1" : undefined);
  if (env.isDevelopment && !LOOPBACK.has(host)) {
    env.problem(name, "must be a loopback address in development (NODE_ENV)");
  }
  return host;
}

/** Reads how many proxies to trust and, optionally, which addresses they may have. */
export function readProxyTrust(env: EnvReader, hopsName: string) {
  const trustedProxies: Cidr[] = [];
  for (const text of env.list("TRUSTED_PROXY_CIDRS")) {
    const cidr = parseCidr(text);
    if (cidr === undefined) env.problem("TRUSTED_PROXY_CIDRS", `holds ${text}, which is no CIDR`);
    else trustedProxies.push(cidr);
  }
  return {
    hops: env.integer(hopsName, { min: 0, max: HOPS_MAX, default: 0 }),
    trustedProxies: trustedProxies.length > 0 ? trustedProxies : undefined,
  };
}

/** Reads allowed origins, as browsers and apps send them: scheme, host and any non-default port. */
export function readOrigins(env: EnvReader): readonly string[] {
  const origins = env.list("ALLOWED_ORIGINS");
  for (const origin of origins) {
    const problem = findOriginProblem(origin);
    if (problem !== undefined) env.problem("ALLOWED_ORIGINS", `holds ${origin}, ${problem}`);
  }
  return origins;
}
