import { readFailureConfig } from "../../clients/limiter/failure-config.ts";
import { readLimiterConfig } from "../../clients/limiter/limiter-config.ts";
import { systemClock } from "../runtime/clock.ts";
import { createEnvReader, type Environment } from "../runtime/env.ts";
import {
  readListenConfig,
  readOrigins,
  readPort,
  readProxyTrust,
} from "../runtime/listen-config.ts";
import { readServiceUrl } from "../runtime/service-url.ts";
import { ENGINE_CHOICES } from "./socket/engine.ts";

export type GatewayConfig = ReturnType<typeof readConfig>;

/** Reads the gateway's configuration; throws a ConfigError that names everything wrong with it. */
export function readConfig(environment: Environment, nowMs = systemClock.nowMs()) {
  const env = createEnvReader(environment);
  return env.finish({
    listen: readListenConfig(env, {
      name: "GATEWAY_PORT",
      default: 8001,
      metricsName: "GATEWAY_METRICS_PORT",
      metricsDefault: 9466,
    }),
    engine: env.oneOf("GATEWAY_ENGINE", ENGINE_CHOICES, "auto"),
    /** Where services publish and operators ask; no edge forwards to it. */
    rpcPort: readPort(env, "GATEWAY_RPC_PORT", 8002),
    trust: readProxyTrust(env, "REALTIME_TRUST_PROXY_HOPS"),
    allowedOrigins: readOrigins(env),
    authUrl: readServiceUrl(env, "AUTH_URL", "http://127.0.0.1:4001"),
    revocationPollMs: env.integer("REVOCATION_POLL_MS", { min: 100, max: 60_000, default: 1_000 }),
    limiter: {
      ...readLimiterConfig(env),
      failure: readFailureConfig(env, "REALTIME_LIMITER", nowMs),
    },
    serviceTokens: env.rotatingSecret("GATEWAY_SERVICE_TOKEN", "development-gateway-token"),
    callers: {
      publisher: env.rotatingSecret("PUBLISHER_SERVICE_TOKEN", "development-publisher-token"),
      operator: env.rotatingSecret("OPERATOR_SERVICE_TOKEN", "development-operator-token"),
    },
  });
}
