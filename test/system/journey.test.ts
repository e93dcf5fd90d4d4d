import { afterAll, beforeAll, expect, test } from "vitest";
import { call, textOf } from "../fixtures/call.ts";
import { eventually } from "../fixtures/eventually.ts";
import { publish } from "../fixtures/publish.ts";
import { connect, type RealtimeConnection } from "../fixtures/realtime-connection.ts";
import { PATIENCE, type System, startSystem } from "../fixtures/services.ts";
import { mintToken, signIn } from "../fixtures/sign-in.ts";

/** Long enough to use a token, short enough to see it end. */
const TOKEN_TTL_SECONDS = 4;
/** The promise: a revoked stream ends within this time. */
const REVOKED_WITHIN_MS = 2_000;
/** Longer than any update in flight still needs. */
const QUIET_MS = 1_000;

const cleanups: (() => unknown)[] = [];
let system: System;

beforeAll(async () => {
  system = await startSystem({
    environment: { ...PATIENCE, DATASOURCE_TOKEN_TTL_SECONDS: String(TOKEN_TTL_SECONDS) },
  });
});

afterAll(async () => {
  for (const cleanup of cleanups) cleanup();
  await system.stop();
});

test("sign in, mint, connect, subscribe, receive, refresh, revoke: the stream ends within 2 s", async () => {
  const { urls } = system;
  const accessToken = await signIn(urls);
  const connection = await setup();
  await connection.waitFor("hello");

  expect(await connection.request({ subscribe: { datasource: "demo" } })).toHaveProperty("ack");
  const firstToken = await mintToken(urls, "demo-private", accessToken);
  expect(
    await connection.request({ subscribe: { datasource: "demo-private", token: firstToken } }),
  ).toHaveProperty("ack");

  await publish(urls, "demo", { price: 1 });
  await publish(urls, "demo-private", { price: 2 });
  await eventually(() => {
    expect(connection.updates("demo")[0]).toMatchObject({ update: { json: { price: 1 } } });
    expect(connection.updates("demo-private")[0]).toMatchObject({ update: { json: { price: 2 } } });
  });

  const token = await mintToken(urls, "demo-private", accessToken);
  expect(
    await connection.request({ refresh: { datasource: "demo-private", token } }),
  ).toHaveProperty("ack");
  await publish(urls, "demo-private", { price: 3 });
  await eventually(() => expect(connection.updates("demo-private")).toHaveLength(2));

  const revokedAtMs = performance.now();
  const revoked = await call(
    `${urls.auth}/portcullis.auth.v1.DatasourceService/RevokeToken`,
    { token },
    { token: accessToken },
  );
  expect(revoked.status).toBe(200);
  const ended = await connection.waitFor("status");
  expect(ended).toMatchObject({
    status: { datasource: "demo-private", state: "STATE_ENDED", reason: "revoked" },
  });
  expect(ended.receivedAtMs - revokedAtMs).toBeLessThan(REVOKED_WITHIN_MS);

  await publish(urls, "demo-private", { price: 4 });
  await publish(urls, "demo", { price: 5 });
  await eventually(() => expect(connection.updates("demo")).toHaveLength(2));
  expect(connection.updates("demo-private")).toHaveLength(2);
  const again = await connection.request({ subscribe: { datasource: "demo-private", token } });
  expect(again).toMatchObject({ error: { code: "unauthenticated", status: 401 } });
});

test("a refresh carries the stream past the end of the first token", async () => {
  const { urls } = system;
  const accessToken = await signIn(urls);
  const connection = await setup();
  const first = await mintToken(urls, "demo-private", accessToken);
  const subscribedAtMs = performance.now();
  await connection.request({ subscribe: { datasource: "demo-private", token: first } });

  await eventually(() => {
    expect(performance.now() - subscribedAtMs).toBeGreaterThan(TOKEN_TTL_SECONDS * 500);
  });
  const second = await mintToken(urls, "demo-private", accessToken);
  await connection.request({ refresh: { datasource: "demo-private", token: second } });
  await eventually(() => {
    expect(performance.now() - subscribedAtMs).toBeGreaterThan(TOKEN_TTL_SECONDS * 1_000 + 200);
  }, TOKEN_TTL_SECONDS * 1_000);

  await publish(urls, "demo-private", { price: 1 });
  await eventually(() => expect(connection.updates("demo-private")).toHaveLength(1));
});

test.each(["demo", "demo-private"])(
  "a token that expires ends the stream of %s, and nothing arrives after it",
  async (datasource) => {
    const { urls } = system;
    const connection = await setup();
    const token = await mintToken(urls, datasource, await signIn(urls));
    const mintedAtMs = performance.now();
    await connection.request({ subscribe: { datasource, token } });

    const publishing = setInterval(() => void publish(urls, datasource, { tick: 1 }), 50);
    cleanups.push(() => clearInterval(publishing));
    const ended = await connection.waitFor("status", (TOKEN_TTL_SECONDS + 2) * 1_000);
    expect(ended).toMatchObject({
      status: { datasource, state: "STATE_ENDED", reason: "token_expired" },
    });
    // The claims of a token count whole seconds.
    expect(ended.receivedAtMs - mintedAtMs).toBeLessThan((TOKEN_TTL_SECONDS + 1) * 1_000);
    const received = connection.updates(datasource).length;
    expect(received).toBeGreaterThan(10);

    await quiet(ended.receivedAtMs);
    clearInterval(publishing);
    expect(connection.updates(datasource)).toHaveLength(received);
  },
);

test("a private datasource stays closed without a token, and to a token for another one", async () => {
  const { urls } = system;
  const connection = await setup();
  expect(await connection.request({ subscribe: { datasource: "demo-private" } })).toMatchObject({
    error: { code: "unauthenticated", status: 401 },
  });
  const token = await mintToken(urls, "demo");
  const answer = await connection.request({ subscribe: { datasource: "demo-private", token } });
  expect(answer).toMatchObject({ error: { temporary: false } });
  await publish(urls, "demo-private", { price: 1 });
  expect(await connection.request({ ping: {} })).toHaveProperty("pong");
  expect(connection.updates("demo-private")).toEqual([]);
});

test("a token that auth did not sign opens nothing", async () => {
  const { urls } = system;
  const connection = await setup();
  const token = await mintToken(urls, "demo-private", await signIn(urls));
  const [header = "", claims = "", signature = ""] = token.split(".");
  const forged = [header, claims, signature.split("").reverse().join("")].join(".");
  const answer = await connection.request({
    subscribe: { datasource: "demo-private", token: forged },
  });
  expect(answer).toMatchObject({ error: { code: "unauthenticated" } });
  const refused = await call(`${urls.auth}/portcullis.auth.v1.DatasourceService/RevokeToken`, {
    token,
  });
  expect(refused.status).toBe(401);
  expect(textOf(refused, "code")).toBe("unauthenticated");
});

/** Opens a connection that is closed after the last test of this file. */
async function setup(): Promise<RealtimeConnection> {
  const connection = await connect(system.urls.gateway);
  cleanups.push(connection.close);
  return connection;
}

/** Waits until no update that was in flight at `sinceMs` can still arrive. */
async function quiet(sinceMs: number): Promise<void> {
  await eventually(() => expect(performance.now() - sinceMs).toBeGreaterThan(QUIET_MS));
}
