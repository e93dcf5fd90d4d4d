import { createEnvReader, type Environment } from "../runtime/env.ts";
import { readListenConfig, readProxyTrust } from "../runtime/listen-config.ts";
import { Secret } from "../runtime/secret.ts";
import { readPoliciesConfig } from "./rules/policies-config.ts";

export type Config = ReturnType<typeof readConfig>;

const DEVELOPMENT_SALT = "development-limiter-hash-salt";

/** Reads everything the limiter can be told, or throws with every problem named. */
export function readConfig(environment: Environment) {
  const env = createEnvReader(environment);
  const databaseBackend = env.oneOf("DB_BACKEND", ["postgres", "memory"], "postgres");
  const backend = env.oneOf("SECURITY_LIMITER_BACKEND", ["postgres", "memory"], databaseBackend);
  if (!env.isDevelopment) {
    const onlyInDevelopment = "is memory only in development";
    if (databaseBackend === "memory") env.problem("DB_BACKEND", onlyInDevelopment);
    if (backend === "memory") env.problem("SECURITY_LIMITER_BACKEND", onlyInDevelopment);
    if (backend !== databaseBackend) {
      env.problem(
        "SECURITY_LIMITER_BACKEND",
        `must be the same as DB_BACKEND (${databaseBackend})`,
      );
    }
  }
  const synchronousCommit = env.oneOf("LIMITER_SYNCHRONOUS_COMMIT", ["on", "off"], "on");
  const acceptsLoss = env.flag("LIMITER_ACCEPT_LOSS", false);
  if (synchronousCommit === "off" && !acceptsLoss) {
    env.problem(
      "LIMITER_SYNCHRONOUS_COMMIT",
      "is off, so a crash may forget charges: set LIMITER_ACCEPT_LOSS=true to accept that",
    );
  }
  const databaseUrl =
    backend === "postgres" ? env.url("DATABASE_URL", ["postgres", "postgresql"]) : undefined;
  const [salt = new Secret(""), ...otherSalts] = env.rotatingSecret(
    "SECURITY_LIMITER_HASH_SALT",
    DEVELOPMENT_SALT,
  );

  return env.finish({
    listen: readListenConfig(env, {
      name: "LIMITER_PORT",
      default: 4002,
      metricsName: "LIMITER_METRICS_PORT",
      metricsDefault: 9465,
    }),
    trust: readProxyTrust(env, "API_TRUST_PROXY_HOPS"),
    backend,
    databaseUrl: databaseUrl === undefined ? undefined : new Secret(databaseUrl),
    synchronousCommit,
    salts: [salt, ...otherSalts] as const,
    decisionTimeoutMs: env.integer("LIMITER_DECISION_TIMEOUT_MS", {
      min: 50,
      max: 10_000,
      default: 300,
    }),
    ...readPoliciesConfig(env),
    credentials: {
      gateway: env.rotatingSecret("GATEWAY_SERVICE_TOKEN", "development-gateway-token"),
      auth: env.rotatingSecret("AUTH_SERVICE_TOKEN", "development-auth-token"),
      operator: env.rotatingSecret("OPERATOR_SERVICE_TOKEN", "development-operator-token"),
    },
  });
}
