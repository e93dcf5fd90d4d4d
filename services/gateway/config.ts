import { readFailureConfig } from "../../clients/limiter/failure-config.ts";
import { systemClock } from "../runtime/clock.ts";
import { createEnvReader, type Environment, type EnvReader } from "../runtime/env.ts";
import { readListenConfig, readProxyTrust } from "../runtime/listen-config.ts";

export type GatewayConfig = ReturnType<typeof readConfig>;

/** Reads the gateway's configuration; throws a ConfigError that names everything wrong with it. */
export function readConfig(environment: Environment, nowMs = systemClock.nowMs()) {
  const env = createEnvReader(environment);
  const dbBackend = env.oneOf("DB_BACKEND", ["postgres"], "postgres");
  const limiterBackend = env.oneOf("SECURITY_LIMITER_BACKEND", ["postgres", "memory"], dbBackend);
  if (!env.isDevelopment && limiterBackend !== dbBackend) {
    env.problem("SECURITY_LIMITER_BACKEND", `must be ${dbBackend}, as DB_BACKEND`);
  }
  return env.finish({
    listen: readListenConfig(env, {
      name: "GATEWAY_PORT",
      default: 8001,
      metricsName: "GATEWAY_METRICS_PORT",
      metricsDefault: 9466,
    }),
    trust: readProxyTrust(env, "REALTIME_TRUST_PROXY_HOPS"),
    allowedOrigins: readOrigins(env),
    authUrl: env.url("AUTH_URL", ["http", "https"], "http://127.0.0.1:4001"),
    revocationPollMs: env.integer("REVOCATION_POLL_MS", { min: 100, max: 60_000, default: 1_000 }),
    limiter: {
      url: env.url("LIMITER_URL", ["http", "https"], "http://127.0.0.1:4002"),
      timeoutMs: env.integer("LIMITER_TIMEOUT_MS", { min: 10, max: 2_000, default: 500 }),
      failure: readFailureConfig(env, "REALTIME_LIMITER", nowMs),
      requiredBackend: env.isDevelopment ? undefined : dbBackend,
    },
    serviceTokens: env.rotatingSecret("GATEWAY_SERVICE_TOKEN", "development-gateway-token"),
    callers: {
      publisher: env.rotatingSecret("PUBLISHER_SERVICE_TOKEN", "development-publisher-token"),
      operator: env.rotatingSecret("OPERATOR_SERVICE_TOKEN", "development-operator-token"),
    },
  });
}

/** Browser origins, spelled as browsers send them: scheme, host, and port when it is unusual. */
function readOrigins(env: EnvReader): readonly string[] {
  const origins = env.list("ALLOWED_ORIGINS");
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      env.problem(
        "ALLOWED_ORIGINS",
        `holds ${origin}, which is no origin such as https://a.example`,
      );
    }
  }
  return origins;
}
