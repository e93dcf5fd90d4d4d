import { expect, test } from "vitest";
import { ConfigError } from "../runtime/env.ts";
import { readConfig } from "./config.ts";
import { generatePrivateKey } from "./tokens/signing-key.ts";

const NOW_MS = Date.parse("2030-01-31T12:00:00Z");

test("readConfig() has working defaults in development", () => {
  const config = readConfig({ NODE_ENV: "development", DATABASE_URL: "postgres://localhost/x" });
  expect(config).toMatchObject({
    listen: { host: "127.0.0.1", port: 4001, metricsPort: 9464 },
    trust: { hops: 0 },
    limiter: { url: "http://127.0.0.1:4002", timeoutMs: 500, requiredBackend: undefined },
    security: { mode: "fail-closed" },
    forwarded: { mode: "fail-closed" },
    isLoginAlwaysClosed: false,
    allowedOrigins: [],
    accessTokenTtlMs: 600_000,
    datasourceTokenTtlMs: 300_000,
    signingKeys: [],
  });
});

test("readConfig() takes a production configuration and prints no secret of it", () => {
  const environment = production();
  const config = readConfig(environment);
  expect(config.limiter.requiredBackend).toBe("postgres");
  expect(config.signingKeys).toHaveLength(1);
  const printed = JSON.stringify(config);
  for (const name of ["DATABASE_URL", "AUTH_SIGNING_KEYS", "GATEWAY_SERVICE_TOKEN"] as const) {
    expect(printed).not.toContain(environment[name]);
  }
});

test("readConfig() names the variable that is wrong", () => {
  const key = generatePrivateKey();
  const wrong = {
    AUTH_SIGNING_KEYS: ["", "noise", `${key},${key}`, [1, 2, 3].map(generatePrivateKey).join()],
    ALLOWED_ORIGINS: ["*", "https://a.test/", "a.test", "https://a.test/path"],
    SECURITY_LIMITER_BACKEND: ["memory", "redis"],
    DB_BACKEND: ["memory"],
    GATEWAY_SERVICE_TOKEN: ["", "development-gateway-token", "short"],
    OPERATOR_SERVICE_TOKEN: [production().GATEWAY_SERVICE_TOKEN],
    DATASOURCE_TOKEN_TTL_SECONDS: ["0", "3601", "5m"],
    LIMITER_TIMEOUT_MS: ["0", "60000"],
    AUDIT_RETENTION_DAYS: ["-1", "36501", "1y"],
    LOGIN_ALWAYS_CLOSED: ["yes"],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      expect(problemsOf({ [name]: value }), `${name}=${value}`).toEqual([
        expect.stringMatching(new RegExp(`^${name} `)),
      ]);
    }
  }
});

test("readConfig() keeps the audit log for 400 days, as told, or for ever", () => {
  const keptMs = (AUDIT_RETENTION_DAYS?: string) =>
    readConfig({ ...production(), ...(AUDIT_RETENTION_DAYS && { AUDIT_RETENTION_DAYS }) })
      .auditKeptMs;
  expect(keptMs()).toBe(400 * 86_400_000);
  expect(keptMs("30")).toBe(30 * 86_400_000);
  expect(keptMs("0")).toBeUndefined();
});

test("readConfig() keeps what is forwarded closed unless both surfaces are open", () => {
  const open = (prefix: string, until: string) => ({
    [`${prefix}_LIMITER_FAILURE_MODE`]: "fail-open",
    [`${prefix}_LIMITER_FAIL_OPEN_CHANGE`]: `CHG-${prefix}`,
    [`${prefix}_LIMITER_FAIL_OPEN_UNTIL`]: until,
  });
  const api = open("SECURITY", "2030-01-31T13:00:00Z");
  const realtime = open("REALTIME", "2030-01-31T14:00:00Z");
  const forwarded = (changes: object) =>
    readConfig({ ...production(), ...changes }, NOW_MS).forwarded;
  expect(forwarded(api)).toEqual({ mode: "fail-closed" });
  expect(forwarded(realtime)).toEqual({ mode: "fail-closed" });
  expect(forwarded({ ...api, ...realtime })).toEqual({
    mode: "fail-open",
    change: "CHG-REALTIME",
    untilMs: Date.parse("2030-01-31T13:00:00Z"),
  });
});

function production() {
  return {
    BIND_HOST: "0.0.0.0",
    METRICS_HOST: "0.0.0.0",
    DATABASE_URL: "postgres://auth:4f9c1b7e2a@db.internal/portcullis",
    AUTH_SIGNING_KEYS: generatePrivateKey(),
    AUTH_SERVICE_TOKEN: "b6a7e1f09c3d45528e6f7a8b9c0d1e2f",
    GATEWAY_SERVICE_TOKEN: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    OPERATOR_SERVICE_TOKEN: "9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b",
  };
}

function problemsOf(changes: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig({ ...production(), ...changes }, NOW_MS);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error instanceof ConfigError ? error.problems : [];
  }
  return [];
}
