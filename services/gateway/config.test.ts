import { expect, test } from "vitest";
import { ConfigError } from "../runtime/env.ts";
import { readConfig } from "./config.ts";

test("readConfig() has a value for everything in development", () => {
  const config = readConfig({ NODE_ENV: "development" });
  expect(config).toMatchObject({
    listen: { host: "127.0.0.1", port: 8001, metricsPort: 9466 },
    engine: "auto",
    trust: { hops: 0 },
    authUrl: "http://127.0.0.1:4001",
    limiter: { url: "http://127.0.0.1:4002", failure: { mode: "fail-closed" }, timeoutMs: 500 },
    revocationPollMs: 1_000,
  });
  expect(JSON.stringify(config)).not.toContain("development-gateway-token");
});

test("readConfig() names every problem at once", () => {
  const wrong = {
    REALTIME_TRUST_PROXY_HOPS: "9",
    GATEWAY_PORT: "port",
    GATEWAY_ENGINE: "uWebSockets",
    ALLOWED_ORIGINS: "https://app.example,app.example/",
    AUTH_URL: "ftp://auth",
    REVOCATION_POLL_MS: "1",
    SECURITY_LIMITER_BACKEND: "memory",
    REALTIME_LIMITER_FAILURE_MODE: "fail-open",
    GATEWAY_SERVICE_TOKEN: "development-gateway-token",
  };
  const required = ["BIND_HOST", "PUBLISHER_SERVICE_TOKEN", "REALTIME_LIMITER_FAIL_OPEN_CHANGE"];
  const read = () => readConfig(wrong);
  expect(read).toThrow(ConfigError);
  for (const name of [...Object.keys(wrong).filter(isNamed), ...required]) {
    expect(read, name).toThrow(name);
  }
});

/** The mode itself is a valid word; what is wrong is what is missing beside it. */
function isNamed(name: string): boolean {
  return name !== "REALTIME_LIMITER_FAILURE_MODE";
}
