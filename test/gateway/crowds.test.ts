import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { call } from "../fixtures/call.ts";
import { type System, TOKENS } from "../fixtures/services.ts";
import { freshAddress, mint, readMetric, signIn, startGatewaySystem } from "./gateway-system.ts";
import { connect, type Frame, type RealtimeClient } from "./realtime-client.ts";

/** The limit of `realtime.refresh.ip`, per minute. */
const REFRESHES = 1_200;
/** What an honest client does beside a flood. */
const HONEST_ROUNDS = 5;

let system: System;
beforeAll(async () => {
  system = await startGatewaySystem();
});
afterAll(async () => {
  await system.stop();
});

test("a refresh with a public token, and any with an account's, is charged before auth is asked", async () => {
  const { urls } = system;
  const bearer = await signIn(urls);
  const tokens = {
    demo: await mint(urls, "demo"),
    "demo-private": await mint(urls, "demo-private", bearer),
  };
  const address = freshAddress();
  const client = await join(address);
  for (const [datasource, token] of Object.entries(tokens)) {
    expect(await client.ask({ subscribe: { datasource, token } })).toHaveProperty("ack");
  }
  const before = await asked();
  // Some refills while the test goes on.
  await drain(address, REFRESHES - 5);
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const [datasource, token] = Object.entries(tokens)[index % 2] ?? [];
      return await client.ask({ refresh: { datasource, token } });
    }),
  );
  const refused = answers.flatMap(({ error }) => error ?? []);
  const limited = refused.filter(({ code }) => code === "rate_limited");
  expect(limited.length).toBeGreaterThan(20);
  for (const error of limited) {
    expect(Number.parseFloat(error.retryAfter ?? "")).toBeGreaterThan(0);
  }
  expect((await asked()) - before).toBeLessThanOrEqual(60 - limited.length);
  const other = await join(freshAddress());
  const [datasource, token] = ["demo-private", tokens["demo-private"]];
  expect(await other.ask({ subscribe: { datasource, token } })).toHaveProperty("ack");
});

test("a token that is expired, bad or for something else costs neither limits nor auth", async () => {
  const { urls } = system;
  const token = await mint(urls, "demo");
  const address = freshAddress();
  const client = await join(address);
  await client.ask({ subscribe: { datasource: "demo", token } });
  const before = await asked();
  const bad = [
    `${token.slice(0, -4)}AAAA`,
    "x.y.z",
    await mint(urls, "demo-private", await signIn(urls)),
  ];
  for (const wrong of bad) {
    const answer = await client.ask({ refresh: { datasource: "demo", token: wrong } });
    expect(answer).toMatchObject({ error: { temporary: false } });
  }
  expect((await asked()) - before).toBe(0);
  await drain(address, REFRESHES);
});

for (const addresses of [4, 50]) {
  test(`a flood of public tokens from ${addresses} addresses refuses no honest token`, async () => {
    const { urls } = system;
    const bearer = await signIn(urls);
    const publicToken = await mint(urls, "demo");
    const privateToken = await mint(urls, "demo-private", bearer);
    const crowd = await Promise.all(
      Array.from({ length: addresses }, async () => await join(freshAddress())),
    );
    const flooding = new AbortController();
    const floods = crowd.map(async (client) => await flood(client, publicToken, flooding.signal));
    const honest: Frame[] = [];
    for (let round = 0; round < HONEST_ROUNDS; round++) {
      const client = await join(freshAddress());
      const token = privateToken;
      honest.push(await client.ask({ subscribe: { datasource: "demo-private", token } }));
      honest.push(await client.ask({ refresh: { datasource: "demo-private", token } }));
      client.socket.terminate();
    }
    flooding.abort();
    const sent = (await Promise.all(floods)).reduce((sum, frames) => sum + frames, 0);
    expect(sent).toBeGreaterThanOrEqual(addresses * 40);
    expect(honest.filter(({ ack }) => ack === undefined)).toEqual([]);
  });
}

/** Refreshes all the time, as fast as a session may; answers how often. */
async function flood(client: RealtimeClient, token: string, signal: AbortSignal): Promise<number> {
  await client.ask({ subscribe: { datasource: "demo", token } });
  let sent = 0;
  while (!signal.aborted && client.socket.readyState === client.socket.OPEN) {
    for (let count = 0; count < 40; count++) {
      client.send({ refresh: { datasource: "demo", token } });
      sent += 1;
    }
    await client.ask({ ping: {} });
    await new Promise((resolve) => setTimeout(resolve, 800));
  }
  return sent;
}

async function join(address: string): Promise<RealtimeClient> {
  const client = await connect(system.urls.gateway, { address });
  onTestFinished(() => client.socket.terminate());
  return client;
}

/** How often auth was asked about a token or datasource. */
async function asked(): Promise<number> {
  return await readMetric(system.metricsUrls.auth, "http_server_request_duration_count", {
    http_route: "/internal/gateway/datasource-introspect",
  });
}

async function drain(address: string, cost: number): Promise<void> {
  const url = `${system.urls.limiter}/portcullis.limiter.v1.LimiterService/Consume`;
  const buckets = [{ policy: "realtime.refresh.ip", key: address, cost }];
  const answer = await call(url, { buckets }, { token: TOKENS.gateway });
  expect(answer.body).toMatchObject({ decision: { outcome: "OUTCOME_ALLOWED" } });
}
