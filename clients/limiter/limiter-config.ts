import { readPoliciesConfig } from "../../services/limiter/rules/policies-config.ts";
import type { EnvReader } from "../../services/runtime/env.ts";
import { readServiceUrl } from "../../services/runtime/service-url.ts";

/** A caller does not wait longer than this. */
const TIMEOUT_MS_MAX = 2_000;

/** Where the limiter is, how long a caller waits for it, and where it must keep its state. */
export function readLimiterConfig(env: EnvReader) {
  const required = env.oneOf("DB_BACKEND", ["postgres"], "postgres");
  const backend = env.oneOf("SECURITY_LIMITER_BACKEND", ["postgres", "memory"], required);
  if (!env.isDevelopment && backend !== required) {
    env.problem("SECURITY_LIMITER_BACKEND", `must be ${required}, as DB_BACKEND`);
  }
  return {
    url: readServiceUrl(env, "LIMITER_URL", "http://127.0.0.1:4002"),
    timeoutMs: env.integer("LIMITER_TIMEOUT_MS", { min: 10, max: TIMEOUT_MS_MAX, default: 500 }),
    /** Where the limiter keeps its state, according to this process's configuration. */
    backend,
    /** In development any backend is accepted. */
    requiredBackend: env.isDevelopment ? undefined : required,
    ...readPoliciesConfig(env),
  };
}
