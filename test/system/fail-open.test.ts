import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { call } from "../fixtures/call.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { connect, refusedUpgrade, tryConnect } from "../fixtures/realtime-connection.ts";
import { scrape } from "../fixtures/scrape.ts";
import { PATIENCE, type System, startSystem, TOKENS } from "../fixtures/services.ts";
import { login, mint } from "../fixtures/sign-in.ts";

const FAIL_OPEN = {
  SECURITY_LIMITER_FAILURE_MODE: "fail-open",
  REALTIME_LIMITER_FAILURE_MODE: "fail-open",
};

const OUTCOMES = "portcullis_limiter_outcomes_total";

test("fail-open lets people in while the limiter is dead, under limits, and counts it", async () => {
  const system = await setup({});
  await system.services.limiter.kill("SIGKILL");

  expect(await login(system.urls, "portcullis-demo")).toMatchObject({ status: 200 });
  const connection = await connect(system.urls.gateway);
  onTestFinished(connection.close);
  const api = await scrape(system.metricsUrls.auth);
  const realtime = await scrape(system.metricsUrls.gateway);
  for (const outcome of ["backend-error", "fail-open"]) {
    expect(api.sum(OUTCOMES, { surface: "api", outcome })).toBeGreaterThan(0);
    expect(realtime.sum(OUTCOMES, { surface: "realtime", outcome })).toBeGreaterThan(0);
  }

  const guesses = await Promise.all(
    Array.from({ length: 12 }, async () => await login(system.urls, "wrong")),
  );
  const statuses = guesses.map((guess) => guess.status);
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(5);
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(7);
});

test("fail-open counts only wrong passwords against an account, and applies the policies given", async () => {
  const policies = await writePolicies((yaml) =>
    yaml.replace("token_bucket, limit: 30, period: 5m", "token_bucket, limit: 12, period: 5m"),
  );
  onTestFinished(policies.remove);
  const system = await setup(policies.environment);
  await system.services.limiter.kill("SIGKILL");
  for (let round = 0; round < 12; round++) {
    expect(await login(system.urls, "portcullis-demo")).toMatchObject({ status: 200 });
  }
  // One account for each guess, so that only the address's limit can refuse.
  const guesses = Array.from({ length: 13 }, async (_, index) => {
    const guess = { email: `nobody-${index}@portcullis.test`, password: "wrong" };
    return (await call(`${system.urls.auth}/portcullis.auth.v1.AuthService/Login`, guess)).status;
  });
  const statuses = await Promise.all(guesses);
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(12);
  expect(statuses).toContain(429);
});

test("LOGIN_ALWAYS_CLOSED keeps login closed in fail-open mode, and nothing else", async () => {
  const system = await setup({ LOGIN_ALWAYS_CLOSED: "true" });
  await system.services.limiter.kill("SIGKILL");
  expect(await login(system.urls, "portcullis-demo")).toMatchObject({ status: 503 });
  expect(await mint(system.urls, "demo")).toMatchObject({ status: 200 });
  const api = await scrape(system.metricsUrls.auth);
  const policy = "login.ip";
  expect(api.sum(OUTCOMES, { policy, outcome: "fail-closed" })).toBe(1);
  expect(api.sum(OUTCOMES, { policy, outcome: "fail-open" })).toBe(0);
});

test("an end in the past keeps fail-open closed from the start", async () => {
  const past = "2020-01-01T00:00:00Z";
  const system = await setup({
    SECURITY_LIMITER_FAIL_OPEN_UNTIL: past,
    REALTIME_LIMITER_FAIL_OPEN_UNTIL: past,
  });
  await system.services.limiter.kill("SIGKILL");
  expect(await login(system.urls, "portcullis-demo")).toMatchObject({ status: 503 });
  expect(await refusedUpgrade(system.urls.gateway)).toMatchObject({ status: 503 });
});

test("a token that the limiter does not know refuses, in fail-open mode too", async () => {
  const system = await setup(
    {},
    { limiter: { AUTH_SERVICE_TOKEN: "another", GATEWAY_SERVICE_TOKEN: "yet-another" } },
  );
  await expectAllRefused(system);
});

test("what can never be decided refuses for good, in fail-open mode too", async () => {
  const { urls } = await setup({});
  const consume = async (bucket: object) =>
    await call(
      `${urls.auth}/internal/gateway/rate-limit/consume`,
      { policy: "realtime.connect.ip", key: "203.0.113.9", ...bucket },
      { token: TOKENS.gateway },
    );
  expect(await consume({ policy: "realtime.unknown" })).toMatchObject({ status: 404 });
  expect(await consume({ key: "no address" })).toMatchObject({ status: 400 });
  expect(await consume({ cost: 100_000 })).toMatchObject({ status: 400 });
});

const DECISION = { receipt: "", retryAfter: "0s", buckets: [] };
const MALFORMED_ANSWERS = [
  { name: "no JSON", body: "<html>welcome</html>" },
  { name: "an empty answer", body: "{}" },
  { name: "an empty decision", body: JSON.stringify({ decision: {} }) },
  {
    name: "an unspecified outcome",
    body: JSON.stringify({ decision: { ...DECISION, outcome: "OUTCOME_UNSPECIFIED" } }),
  },
  {
    name: "an outcome of the future",
    body: JSON.stringify({ decision: { ...DECISION, outcome: 99 } }),
  },
  { name: "an internal error", body: JSON.stringify({ code: "internal" }), status: 500 },
];

test.each(MALFORMED_ANSWERS)("$name refuses, in fail-open mode too", async ({ body, status }) => {
  const url = await startImpostor(body, status ?? 200);
  const system = await setup({ LIMITER_URL: url });
  await expectAllRefused(system);
});

async function expectAllRefused(system: System): Promise<void> {
  // While services start, the gateway asks auth for revocations, and there may be no limiter yet.
  const openAtStart = await failOpenOf(system);
  expect(await login(system.urls, "portcullis-demo")).toMatchObject({ status: 503 });
  expect(await mint(system.urls, "demo")).toMatchObject({ status: 503 });
  expect(await tryConnect(system.urls.gateway)).toMatchObject({ status: 503 });
  for (const url of [system.metricsUrls.auth, system.metricsUrls.gateway]) {
    const metrics = await scrape(url);
    expect(metrics.sum(OUTCOMES, { outcome: "backend-error" })).toBeGreaterThan(0);
    expect(metrics.sum(OUTCOMES, { outcome: "allow" })).toBe(0);
  }
  expect(await failOpenOf(system)).toEqual(openAtStart);
}

async function failOpenOf({ metricsUrls }: System): Promise<unknown[]> {
  const scrapes = await Promise.all([scrape(metricsUrls.auth), scrape(metricsUrls.gateway)]);
  return scrapes.map((metrics) => metrics.sum(OUTCOMES, { outcome: "fail-open" }));
}

/** A server at the limiter's address that is not the limiter. */
async function startImpostor(body: string, status: number): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

async function setup(
  environment: Readonly<Record<string, string>>,
  environmentOf: NonNullable<Parameters<typeof startSystem>[0]>["environmentOf"] = {},
): Promise<System> {
  const system = await startSystem({
    environment: { ...PATIENCE, ...FAIL_OPEN, ...environment },
    environmentOf,
  });
  onTestFinished(system.stop);
  return system;
}
