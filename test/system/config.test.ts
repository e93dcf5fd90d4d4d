import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createTestDatabase } from "../fixtures/postgres.ts";
import { productionEnvironment } from "../fixtures/production-environment.ts";
import { refusedUpgrade } from "../fixtures/realtime-connection.ts";
import { runServiceToExit, type ServiceName } from "../fixtures/service-process.ts";
import { findAddresses, PATIENCE, startSystem } from "../fixtures/services.ts";
import { login } from "../fixtures/sign-in.ts";

const WEAK = "hunter2hunter2";
const UNUSED_DATABASE = "postgres://nobody@127.0.0.1:1/none";

const LISTENING = {
  BIND_HOST: "",
  METRICS_HOST: "",
  TRUSTED_PROXY_CIDRS: "10.0.0.0/99",
  LOG_LEVEL: "loud",
};

const ALL_INVALID: { service: ServiceName; environment: Record<string, string> }[] = [
  {
    service: "auth",
    environment: {
      ...LISTENING,
      AUTH_PORT: "70000",
      AUTH_METRICS_PORT: "http",
      API_TRUST_PROXY_HOPS: "9",
      DB_BACKEND: "mysql",
      DATABASE_URL: "mysql://localhost/x",
      LIMITER_URL: "limiter:4002",
      LIMITER_TIMEOUT_MS: "0",
      SECURITY_LIMITER_BACKEND: "redis",
      SECURITY_LIMITER_FAILURE_MODE: "open",
      REALTIME_LIMITER_FAILURE_MODE: "ajar",
      LOGIN_ALWAYS_CLOSED: "yes",
      ALLOWED_ORIGINS: "portcullis.test",
      ACCESS_TOKEN_TTL_SECONDS: "0",
      DATASOURCE_TOKEN_TTL_SECONDS: "-1",
      AUDIT_RETENTION_DAYS: "for ever",
      AUTH_SIGNING_KEYS: WEAK,
      AUTH_SERVICE_TOKEN: WEAK,
      GATEWAY_SERVICE_TOKEN: WEAK,
      OPERATOR_SERVICE_TOKEN: WEAK,
    },
  },
  {
    service: "limiter",
    environment: {
      ...LISTENING,
      LIMITER_PORT: "-1",
      LIMITER_METRICS_PORT: "9465.5",
      API_TRUST_PROXY_HOPS: "one",
      DB_BACKEND: "mysql",
      DATABASE_URL: "nowhere",
      SECURITY_LIMITER_BACKEND: "redis",
      SECURITY_LIMITER_HASH_SALT: WEAK,
      LIMITER_SYNCHRONOUS_COMMIT: "maybe",
      LIMITER_ACCEPT_LOSS: "perhaps",
      LIMITER_IPV6_PREFIX: "129",
      LIMITER_DECISION_TIMEOUT_MS: "1",
      GATEWAY_SERVICE_TOKEN: WEAK,
      AUTH_SERVICE_TOKEN: WEAK,
      OPERATOR_SERVICE_TOKEN: WEAK,
    },
  },
  {
    service: "gateway",
    environment: {
      ...LISTENING,
      GATEWAY_PORT: "80 80",
      GATEWAY_METRICS_PORT: "1e3",
      REALTIME_TRUST_PROXY_HOPS: "-1",
      DB_BACKEND: "mysql",
      ALLOWED_ORIGINS: "https://a.test/",
      AUTH_URL: "auth",
      LIMITER_URL: "limiter",
      LIMITER_TIMEOUT_MS: "soon",
      REVOCATION_POLL_MS: "0",
      REALTIME_LIMITER_FAILURE_MODE: "ajar",
      GATEWAY_SERVICE_TOKEN: WEAK,
      PUBLISHER_SERVICE_TOKEN: WEAK,
      OPERATOR_SERVICE_TOKEN: WEAK,
    },
  },
];

test.each(ALL_INVALID)(
  "$service names every invalid variable in one error and does not start",
  async ({ service, environment }) => {
    const exit = await runServiceToExit(service, environment);
    expect(exit.code).toBe(1);
    expect(exit.errorOutput.match(/invalid configuration/g)).toHaveLength(1);
    expect(new Set(problemsOf(exit.errorOutput))).toEqual(new Set(Object.keys(environment)));
    expect(exit.output).not.toContain(WEAK);
  },
);

const REALTIME_OPEN = { REALTIME_LIMITER_FAILURE_MODE: "fail-open" };
const SECURITY_OPEN = { SECURITY_LIMITER_FAILURE_MODE: "fail-open" };
const IN_FIVE_HOURS = new Date(Date.now() + 5 * 60 * 60 * 1_000).toISOString();
const WITHOUT_ZONE = "2030-01-31T18:00:00";

const REFUSED: {
  what: string;
  service: ServiceName;
  environment: Record<string, string>;
  names: string[];
}[] = [
  {
    what: "buckets in memory",
    service: "limiter",
    environment: { SECURITY_LIMITER_BACKEND: "memory" },
    names: ["SECURITY_LIMITER_BACKEND"],
  },
  {
    what: "everything in memory",
    service: "limiter",
    environment: { SECURITY_LIMITER_BACKEND: "memory", DB_BACKEND: "memory" },
    names: ["DB_BACKEND", "SECURITY_LIMITER_BACKEND"],
  },
  {
    what: "a limiter backend other than the database's",
    service: "auth",
    environment: { SECURITY_LIMITER_BACKEND: "memory" },
    names: ["SECURITY_LIMITER_BACKEND"],
  },
  {
    what: "charges that a crash forgets",
    service: "limiter",
    environment: { LIMITER_SYNCHRONOUS_COMMIT: "off" },
    names: ["LIMITER_SYNCHRONOUS_COMMIT"],
  },
  {
    what: "no salt",
    service: "limiter",
    environment: { SECURITY_LIMITER_HASH_SALT: "" },
    names: ["SECURITY_LIMITER_HASH_SALT"],
  },
  {
    what: "a short salt",
    service: "limiter",
    environment: { SECURITY_LIMITER_HASH_SALT: "x7Hq2mZ9" },
    names: ["SECURITY_LIMITER_HASH_SALT"],
  },
  {
    what: "a salt without randomness",
    service: "limiter",
    environment: { SECURITY_LIMITER_HASH_SALT: "ab".repeat(24) },
    names: ["SECURITY_LIMITER_HASH_SALT"],
  },
  {
    what: "the tokens of development",
    service: "limiter",
    environment: {
      GATEWAY_SERVICE_TOKEN: "development-gateway-token",
      AUTH_SERVICE_TOKEN: "development-auth-token",
      OPERATOR_SERVICE_TOKEN: "development-operator-token",
    },
    names: ["GATEWAY_SERVICE_TOKEN", "AUTH_SERVICE_TOKEN", "OPERATOR_SERVICE_TOKEN"],
  },
  {
    what: "a publisher's token of development",
    service: "gateway",
    environment: { PUBLISHER_SERVICE_TOKEN: "development-publisher-token" },
    names: ["PUBLISHER_SERVICE_TOKEN"],
  },
  {
    what: "no signing key",
    service: "auth",
    environment: { AUTH_SIGNING_KEYS: "" },
    names: ["AUTH_SIGNING_KEYS"],
  },
  {
    what: "fail-open without a change and an end",
    service: "auth",
    environment: SECURITY_OPEN,
    names: ["SECURITY_LIMITER_FAIL_OPEN_CHANGE", "SECURITY_LIMITER_FAIL_OPEN_UNTIL"],
  },
  {
    what: "fail-open without a change and an end",
    service: "gateway",
    environment: REALTIME_OPEN,
    names: ["REALTIME_LIMITER_FAIL_OPEN_CHANGE", "REALTIME_LIMITER_FAIL_OPEN_UNTIL"],
  },
  {
    what: "fail-open for longer than 4 hours",
    service: "gateway",
    environment: {
      ...REALTIME_OPEN,
      REALTIME_LIMITER_FAIL_OPEN_CHANGE: "CHG-1",
      REALTIME_LIMITER_FAIL_OPEN_UNTIL: IN_FIVE_HOURS,
    },
    names: ["REALTIME_LIMITER_FAIL_OPEN_UNTIL"],
  },
  {
    what: "fail-open until something that is no instant",
    service: "auth",
    environment: {
      ...SECURITY_OPEN,
      SECURITY_LIMITER_FAIL_OPEN_CHANGE: "CHG-1",
      SECURITY_LIMITER_FAIL_OPEN_UNTIL: WITHOUT_ZONE,
    },
    names: ["SECURITY_LIMITER_FAIL_OPEN_UNTIL"],
  },
  {
    what: "an address in development that others can reach",
    service: "gateway",
    environment: { NODE_ENV: "development", BIND_HOST: "0.0.0.0" },
    names: ["BIND_HOST"],
  },
];

test.each(REFUSED)("$service refuses $what: $names", async ({ service, environment, names }) => {
  const exit = await runServiceToExit(service, {
    ...productionEnvironment(UNUSED_DATABASE),
    ...environment,
  });
  expect(exit.code).toBe(1);
  expect(new Set(problemsOf(exit.errorOutput))).toEqual(new Set(names));
});

test.each(["", "staging", "Development"])(
  "NODE_ENV %j is not development",
  async (environmentName) => {
    const exit = await runServiceToExit("limiter", {
      ...productionEnvironment(UNUSED_DATABASE),
      NODE_ENV: environmentName,
      SECURITY_LIMITER_BACKEND: "memory",
    });
    expect(problemsOf(exit.errorOutput)).toContain("SECURITY_LIMITER_BACKEND");
  },
);

test("outside development a complete configuration starts, without demo and without secrets in its log", async () => {
  const databaseUrl = await createTestDatabase("config");
  const environment = productionEnvironment(databaseUrl);
  const system = await startSystem({ environment: { ...environment, ...PATIENCE } });
  onTestFinished(system.stop);
  expect(await login(system.urls, "portcullis-demo")).toMatchObject({ status: 401 });
  const output = Object.values(system.services).flatMap((service) => service.output());
  const secrets = Object.entries(environment).filter(([name]) => /TOKEN|SALT|KEYS|URL/.test(name));
  expect(secrets).toHaveLength(7);
  for (const [name, secret] of secrets) {
    expect(output.join("\n").includes(secret), `${name} is in the log`).toBe(false);
  }
});

test("outside development each service warns once of hops without named proxies", async () => {
  const databaseUrl = await createTestDatabase("config");
  const hops = { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" };
  const system = await startSystem({
    environment: { ...productionEnvironment(databaseUrl), ...hops },
    environmentOf: { limiter: { TRUSTED_PROXY_CIDRS: "127.0.0.1/32" } },
  });
  onTestFinished(system.stop);
  const warningsOf = (service: keyof typeof system.services) =>
    system.services[service].output().filter((line) => line.includes("TRUSTED_PROXY_CIDRS"));
  await eventually(() => {
    expect(warningsOf("auth")).toHaveLength(1);
    expect(warningsOf("gateway")).toHaveLength(1);
  });
  expect(warningsOf("limiter")).toEqual([]);
});

test("outside development a limiter that keeps its state in memory decides nothing", async () => {
  const databaseUrl = await createTestDatabase("config");
  const system = await startSystem({
    environment: productionEnvironment(databaseUrl),
    environmentOf: { limiter: { NODE_ENV: "test", SECURITY_LIMITER_BACKEND: "memory" } },
  });
  onTestFinished(system.stop);
  expect(await login(system.urls, "portcullis-demo")).toMatchObject({ status: 503 });
  expect(await refusedUpgrade(system.urls.gateway)).toMatchObject({ status: 503 });
});

test("a taken port ends the start with a reason, the port of the metrics too", async () => {
  const databaseUrl = await createTestDatabase("config");
  const system = await startSystem({ databaseUrl, services: ["limiter"] });
  onTestFinished(system.stop);
  const { environment } = await findAddresses();
  const development = { ...environment, NODE_ENV: "test", DATABASE_URL: databaseUrl };
  for (const taken of [
    { LIMITER_PORT: new URL(system.urls.limiter).port },
    { LIMITER_METRICS_PORT: new URL(system.metricsUrls.limiter).port },
  ]) {
    const exit = await runServiceToExit("limiter", { ...development, ...taken });
    expect(exit.code).toBe(1);
    expect(exit.output).toContain("EADDRINUSE");
  }
});

/** The variables that a configuration error names: one a line, with its problem. */
function problemsOf(errorOutput: string): string[] {
  return [...errorOutput.matchAll(/^ {2}([A-Z][A-Z0-9_]*) /gm)].map(([, name = ""]) => name);
}
