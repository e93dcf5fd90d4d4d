import { type FailureConfig, readFailureConfig } from "../../clients/limiter/failure-config.ts";
import { readLimiterConfig } from "../../clients/limiter/limiter-config.ts";
import { systemClock } from "../runtime/clock.ts";
import { createEnvReader, type Environment, type EnvReader } from "../runtime/env.ts";
import {
  readListenConfig,
  readOrigins,
  readPort,
  readProxyTrust,
} from "../runtime/listen-config.ts";
import { Secret } from "../runtime/secret.ts";
import { parsePrivateKey } from "./tokens/signing-key.ts";
import {
  ACCESS_TOKEN_TTL_SECONDS_MAX,
  DATASOURCE_TOKEN_TTL_SECONDS_MAX,
} from "./tokens/token-lifetimes.ts";

export type Config = ReturnType<typeof readConfig>;

/** One signs and the other still verifies, or will sign next. */
const SIGNING_KEYS_MAX = 2;
/** Claims count whole seconds. */
const TOKEN_TTL_SECONDS_MIN = 1;
/** A century: longer than any record must be kept. */
const AUDIT_RETENTION_DAYS_MAX = 36_500;
/** More than a year, so that the same month of last year can be looked up. */
const AUDIT_RETENTION_DAYS_DEFAULT = 400;
const DAY_MS = 24 * 60 * 60 * 1_000;

/** Reads the environment of auth, or names everything that is wrong with it. */
export function readConfig(environment: Environment, nowMs = systemClock.nowMs()) {
  const env = createEnvReader(environment);
  const ttlSeconds = (name: string, max: number, defaultSeconds: number) =>
    env.integer(name, { min: TOKEN_TTL_SECONDS_MIN, max, default: defaultSeconds }) * 1_000;
  const security = readFailureConfig(env, "SECURITY_LIMITER", nowMs);
  const realtime = readFailureConfig(env, "REALTIME_LIMITER", nowMs);
  const authTokens = env.rotatingSecret("AUTH_SERVICE_TOKEN", "development-auth-token");
  const gatewayTokens = env.rotatingSecret("GATEWAY_SERVICE_TOKEN", "development-gateway-token");
  const operatorTokens = env.rotatingSecret("OPERATOR_SERVICE_TOKEN", "development-operator-token");
  return env.finish({
    listen: readListenConfig(env, {
      name: "AUTH_PORT",
      default: 4001,
      metricsName: "AUTH_METRICS_PORT",
      metricsDefault: 9464,
    }),
    /** Where operators administer; no edge forwards to it. */
    adminPort: readPort(env, "AUTH_ADMIN_PORT", 4005),
    trust: readProxyTrust(env, "API_TRUST_PROXY_HOPS"),
    // Holds a password.
    databaseUrl: new Secret(env.url("DATABASE_URL", ["postgres", "postgresql"])),
    limiter: readLimiterConfig(env),
    security,
    forwarded: forwardedFailure(security, realtime),
    isLoginAlwaysClosed: env.flag("LOGIN_ALWAYS_CLOSED", false),
    allowedOrigins: readOrigins(env),
    accessTokenTtlMs: ttlSeconds("ACCESS_TOKEN_TTL_SECONDS", ACCESS_TOKEN_TTL_SECONDS_MAX, 600),
    datasourceTokenTtlMs: ttlSeconds(
      "DATASOURCE_TOKEN_TTL_SECONDS",
      DATASOURCE_TOKEN_TTL_SECONDS_MAX,
      300,
    ),
    /** Undefined keeps the audit log for ever. */
    auditKeptMs: readAuditKeptMs(env),
    signingKeys: readSigningKeys(env),
    authTokens,
    gatewayTokens,
    operatorTokens,
  });
}

function readAuditKeptMs(env: EnvReader): number | undefined {
  const days = env.integer("AUDIT_RETENTION_DAYS", {
    min: 0,
    max: AUDIT_RETENTION_DAYS_MAX,
    default: AUDIT_RETENTION_DAYS_DEFAULT,
  });
  return days === 0 ? undefined : days * DAY_MS;
}

/**
 * Consumes that are forwarded for the gateway fail open only while both surfaces fail open.
 */
function forwardedFailure(security: FailureConfig, realtime: FailureConfig): FailureConfig {
  if (security.mode === "fail-closed" || realtime.mode === "fail-closed") {
    return { mode: "fail-closed" };
  }
  return { ...realtime, untilMs: Math.min(security.untilMs, realtime.untilMs) };
}

/**
 * One or two private keys: the first signs, both verify and are published. To rotate, add the new
 * key behind the old one, swap them once verifiers have seen it, and drop the old one when its last
 * access and datasource token has ended. Devices and networks that were known by the dropped key
 * are strangers until they sign in again.
 */
function readSigningKeys(env: EnvReader): readonly Secret[] {
  const name = "AUTH_SIGNING_KEYS";
  const texts = env.list(name);
  if (texts.length === 0 && !env.isDevelopment) env.problem(name, "is required");
  if (texts.length > SIGNING_KEYS_MAX) env.problem(name, "holds more than two keys");
  if (new Set(texts).size < texts.length) env.problem(name, "holds the same key twice");
  if (texts.some((text) => parsePrivateKey(text) === undefined)) {
    env.problem(name, "must hold Ed25519 private keys, each as base64 of its PKCS #8 DER");
  }
  return texts.map((text) => new Secret(text));
}
