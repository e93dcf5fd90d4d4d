import { expect, onTestFinished, test } from "vitest";
import { findFreePort } from "../../tools/up/free-port.ts";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";
import { runServiceToExit } from "../fixtures/service-process.ts";
import { startSystem } from "../fixtures/services.ts";

test("auth names every invalid variable in one start-up error", async () => {
  const { code, errorOutput } = await runServiceToExit("auth", {
    AUTH_PORT: "http",
    API_TRUST_PROXY_HOPS: "9",
    DATABASE_URL: "mysql://localhost",
    ALLOWED_ORIGINS: "*",
    SECURITY_LIMITER_BACKEND: "memory",
    GATEWAY_SERVICE_TOKEN: "development-gateway-token",
    SECURITY_LIMITER_FAILURE_MODE: "fail-open",
  });
  expect(code).toBe(1);
  const named = errorOutput.matchAll(/^ {2}([A-Z_0-9]+) /gm);
  expect([...new Set([...named].map(([, name]) => name))].sort()).toEqual([
    "ALLOWED_ORIGINS",
    "API_TRUST_PROXY_HOPS",
    "AUTH_PORT",
    "AUTH_SERVICE_TOKEN",
    "AUTH_SIGNING_KEYS",
    "BIND_HOST",
    "DATABASE_URL",
    "GATEWAY_SERVICE_TOKEN",
    "METRICS_HOST",
    "OPERATOR_SERVICE_TOKEN",
    "SECURITY_LIMITER_BACKEND",
    "SECURITY_LIMITER_FAIL_OPEN_CHANGE",
    "SECURITY_LIMITER_FAIL_OPEN_UNTIL",
  ]);
});

test("auth waits a while for the database, then ends with the reason", async () => {
  const port = await findFreePort();
  const { code, output } = await runServiceToExit("auth", {
    NODE_ENV: "test",
    AUTH_PORT: "0",
    AUTH_METRICS_PORT: "0",
    DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/postgres`,
  });
  expect(code).toBe(1);
  expect(output).toContain("waiting for the database");
  expect(output).toMatch(/auth could not start: .*ECONNREFUSED/);
});

test("auth replicas that start at once on an empty database agree on schema and keys", async () => {
  const databaseUrl = await createTestDatabase("replicas");
  const replicas = await Promise.all(
    [1, 2, 3].map(() => startSystem({ services: ["auth"], databaseUrl })),
  );
  for (const replica of replicas) onTestFinished(replica.stop);
  const keys = await Promise.all(
    replicas.map(async ({ urls }) => (await fetch(`${urls.auth}/.well-known/jwks.json`)).text()),
  );
  expect(new Set(keys).size).toBe(1);
  const counts = await runSql(
    databaseUrl,
    `select (select count(*)::int from auth.accounts) as accounts,
            (select count(*)::int from auth.datasources) as datasources,
            (select count(*)::int = max(version) from auth.migrations) as migrated_once`,
  );
  expect(counts).toEqual([{ accounts: 1, datasources: 2, migrated_once: true }]);
});

test("auth stops on SIGTERM without an error", async () => {
  const databaseUrl = await createTestDatabase("stopping");
  const system = await startSystem({ services: ["auth"], databaseUrl });
  onTestFinished(system.stop);
  expect(await system.services.auth.kill("SIGTERM")).toMatchObject({ code: 0 });
});
