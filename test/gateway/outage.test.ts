import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { runSql } from "../fixtures/postgres.ts";
import * as publishing from "../fixtures/publish.ts";
import type { System } from "../fixtures/services.ts";
import {
  freshAddress,
  mint,
  publish,
  readMetric,
  signIn,
  startGatewaySystem,
} from "./gateway-system.ts";
import { connect, type RealtimeClient, tryConnect } from "./realtime-client.ts";

/** How long decisions take at most unless somebody configures otherwise. */
const DEFAULT_DEADLINES = { LIMITER_DECISION_TIMEOUT_MS: "300", LIMITER_TIMEOUT_MS: "500" };
/** No answer may take longer than this, whatever is broken. */
const ANSWER_WITHIN_MS = 1_000;
/** After an outage everything works again within this time. */
const RECOVERED_WITHIN_MS = 5_000;

let system: System;
beforeAll(async () => {
  system = await startGatewaySystem(DEFAULT_DEADLINES);
});
afterAll(async () => {
  await system.stop();
});

test("without the limiter upgrades and public subscribes are refused with 503, streams go on", async () => {
  const { urls, services } = system;
  const client = await join();
  await client.ask({ subscribe: { datasource: "demo" } });
  const rejected = () => outcome("realtime.connect.ip", "reject");
  const before = [await rejected(), await outcome("realtime.connect.ip", "fail-closed")];

  await services.limiter.kill("SIGKILL");
  for (let count = 0; count < 10; count++) {
    const startedAt = performance.now();
    expect(await tryConnect(urls.gateway, { address: freshAddress() })).toMatchObject({
      status: 503,
      retryAfter: expect.stringMatching(/^[1-9]\d*$/),
    });
    expect(performance.now() - startedAt).toBeLessThan(ANSWER_WITHIN_MS);
  }
  await client.ask({ unsubscribe: { datasource: "demo" } });
  await expectUnavailable(client, "demo");
  await expectUnavailable(client, "no-such-datasource");
  expect([await rejected(), await outcome("realtime.connect.ip", "fail-closed")]).toEqual([
    before[0],
    (before[1] ?? 0) + 10,
  ]);

  await services.limiter.restart();
  await eventually(async () => {
    expect((await tryConnect(urls.gateway, { address: freshAddress() })).kind).toBe("open");
    expect(await client.ask({ subscribe: { datasource: "demo" } })).toHaveProperty("ack");
  }, RECOVERED_WITHIN_MS);
});

test("a limiter that hangs is a limiter that is not there", async () => {
  const { urls, services } = system;
  process.kill(services.limiter.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(services.limiter.pid, "SIGCONT"));
  const startedAt = performance.now();
  const results = await Promise.all(
    Array.from({ length: 50 }, () => tryConnect(urls.gateway, { address: freshAddress() })),
  );
  expect(performance.now() - startedAt).toBeLessThan(ANSWER_WITHIN_MS);
  for (const result of results) expect(result).toMatchObject({ status: 503 });
  process.kill(services.limiter.pid, "SIGCONT");
  await eventually(async () => {
    expect((await tryConnect(urls.gateway, { address: freshAddress() })).kind).toBe("open");
  }, RECOVERED_WITHIN_MS);
});

test("without auth nothing new is opened, what is open goes on, and revocations are made up for", async () => {
  const { urls, services } = system;
  const bearer = await signIn(urls);
  const token = await mint(urls, "demo-private", bearer);
  const client = await join();
  expect(await subscribe(client, "demo-private", token)).toHaveProperty("ack");

  await services.auth.kill("SIGKILL");
  const other = await join();
  expect(await subscribe(other, "demo-private", token)).toMatchObject({ error: UNAVAILABLE });
  const refresh = await client.ask({ refresh: { datasource: "demo-private", token } });
  expect(refresh).toMatchObject({ error: UNAVAILABLE });
  await publish(urls, "demo-private", "meanwhile");
  await client.find(({ update }) => update?.json === "meanwhile");
  const unknown = await publishing.publish(urls, "never-asked-about", 1);
  expect([unknown.status, unknown.body]).toMatchObject([503, { code: "unavailable" }]);
  const health = await fetch(`${urls.gatewayRpc}/readyz`);
  expect(health.status).toBe(200);
  await eventually(async () => {
    const answer = await fetch(`${urls.gatewayRpc}/readyz`);
    expect(await answer.json()).toMatchObject({ dependencies: { auth: "unreachable" } });
  });

  const { jti } = decodeJwt(token);
  await runSql(system.databaseUrl, "select auth.append_revocation('jti', $1, now())", [jti]);
  await services.auth.restart();
  await eventually(async () => {
    expect(await subscribe(other, "demo", "")).toHaveProperty("ack");
  }, RECOVERED_WITHIN_MS);
  expect(await client.find(({ status }) => status !== undefined)).toMatchObject({
    status: { datasource: "demo-private", reason: "revoked" },
  });
});

const UNAVAILABLE = {
  code: "unavailable",
  status: 503,
  temporary: true,
  retryAfter: expect.stringMatching(/s$/),
};

async function join(): Promise<RealtimeClient> {
  const client = await connect(system.urls.gateway, { address: freshAddress() });
  onTestFinished(() => client.socket.terminate());
  return client;
}

async function subscribe(client: RealtimeClient, datasource: string, token: string) {
  return await client.ask({ subscribe: { datasource, token } });
}

async function expectUnavailable(client: RealtimeClient, datasource: string): Promise<void> {
  const startedAt = performance.now();
  expect(await subscribe(client, datasource, "")).toMatchObject({ error: UNAVAILABLE });
  expect(performance.now() - startedAt).toBeLessThan(ANSWER_WITHIN_MS);
}

async function outcome(policy: string, name: string): Promise<number> {
  const labels = { surface: "realtime", policy, outcome: name };
  return await readMetric(system.metricsUrls.gateway, "portcullis_limiter_outcomes_total", labels);
}
