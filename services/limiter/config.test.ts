import { expect, test } from "vitest";
import { ConfigError } from "../runtime/env.ts";
import { readConfig } from "./config.ts";

const SECRETS = {
  SECURITY_LIMITER_HASH_SALT: "c3Jd81LmQz0xRvTn6yKw2PfBhUaEoGsI",
  GATEWAY_SERVICE_TOKEN: "k9QwZ2mXv7RtLp4NsYb6HcJd1FgUeAoT",
  AUTH_SERVICE_TOKEN: "w8ErT5yUiO3pAsDf7GhJkLz1XcVbNm2Q",
  OPERATOR_SERVICE_TOKEN: "q4WeRt6yUi8OpAs1DfGh3JkLz5XcVbN7",
};
const PRODUCTION = {
  ...SECRETS,
  BIND_HOST: "10.0.0.1",
  METRICS_HOST: "10.0.0.1",
  DATABASE_URL: "postgres://limiter@db/limiter",
};
const DEVELOPMENT = { NODE_ENV: "development", DATABASE_URL: "postgres://localhost/limiter" };

test("readConfig() needs nothing but a database in development", () => {
  expect(readConfig(DEVELOPMENT)).toMatchObject({
    backend: "postgres",
    synchronousCommit: "on",
    decisionTimeoutMs: 300,
    ipv6PrefixBits: 64,
    listen: { port: 4002, metricsPort: 9465, host: "127.0.0.1" },
  });
});

test("readConfig() accepts what production needs, and two salts while they change", () => {
  expect(readConfig(PRODUCTION).salts).toHaveLength(1);
  const nextSalt = "t5NvRz8Qm1XkPw3LyHc6JdUbFgSeAoTi";
  const salts = `${nextSalt},${SECRETS.SECURITY_LIMITER_HASH_SALT}`;
  const config = readConfig({ ...PRODUCTION, SECURITY_LIMITER_HASH_SALT: salts });
  expect(config.salts[0].reveal()).toBe(nextSalt);
  expect(config.salts).toHaveLength(2);
});

test("readConfig() prints no secret", () => {
  const printed = JSON.stringify(readConfig(PRODUCTION));
  const secrets = [...Object.values(SECRETS), PRODUCTION.DATABASE_URL];
  expect(secrets.filter((secret) => printed.includes(secret))).toEqual([]);
});

test("readConfig() names everything that is wrong, at once", () => {
  expect(problemsOf({})).toEqual(
    expect.arrayContaining([
      ...Object.keys(SECRETS).map((name) => `${name} is required`),
      "BIND_HOST is required",
      "METRICS_HOST is required",
      "DATABASE_URL is required",
    ]),
  );
});

test.each([
  { name: "SECURITY_LIMITER_BACKEND", value: "memory" },
  { name: "DB_BACKEND", value: "memory" },
  { name: "DB_BACKEND", value: "oracle" },
  { name: "SECURITY_LIMITER_HASH_SALT", value: "development-limiter-hash-salt" },
  { name: "OPERATOR_SERVICE_TOKEN", value: "short" },
  { name: "LIMITER_SYNCHRONOUS_COMMIT", value: "off" },
  { name: "LIMITER_IPV6_PREFIX", value: "16" },
  { name: "LIMITER_DECISION_TIMEOUT_MS", value: "soon" },
  { name: "LIMITER_ACCEPT_LOSS", value: "perhaps" },
])("readConfig() refuses $name=$value outside development", ({ name, value }) => {
  expect(problemsOf({ ...PRODUCTION, [name]: value }).join("\n")).toContain(`${name} `);
});

test("readConfig() lets charges be lost only when that is accepted", () => {
  const config = { LIMITER_SYNCHRONOUS_COMMIT: "off", LIMITER_ACCEPT_LOSS: "true" };
  expect(readConfig({ ...PRODUCTION, ...config }).synchronousCommit).toBe("off");
});

function problemsOf(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error instanceof ConfigError ? error.problems : [];
  }
}
