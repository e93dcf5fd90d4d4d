import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  ClientFrameSchema,
  ServerFrameSchema,
} from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { call } from "../fixtures/call.ts";
import { eventually } from "../fixtures/eventually.ts";
import { runSql } from "../fixtures/postgres.ts";
import * as publishing from "../fixtures/publish.ts";
import { type System, TOKENS } from "../fixtures/services.ts";
import {
  freshAddress,
  mint,
  publish,
  putDatasource,
  readMetric,
  revoke,
  signIn,
  startGatewaySystem,
} from "./gateway-system.ts";
import {
  connect,
  type Frame,
  JSON_FRAMES,
  PROTO_FRAMES,
  type RealtimeClient,
} from "./realtime-client.ts";

/** Tokens of this system are this short, so that tests can see them end. */
const TOKEN_TTL_MS = 4_000;
/** What a revocation may take from the call to the end of the stream. */
const REVOKED_WITHIN_MS = 2_000;

let system: System;
beforeAll(async () => {
  system = await startGatewaySystem({ DATASOURCE_TOKEN_TTL_SECONDS: String(TOKEN_TTL_MS / 1_000) });
});
afterAll(async () => {
  await system.stop();
});

test("the journey: sign in, mint, connect, subscribe, updates, refresh, revoke, end", async () => {
  const { urls } = system;
  const bearer = await signIn(urls);
  const client = await join();
  expect(client.frames[0]).toEqual({
    hello: { sessionId: expect.any(String), pingInterval: "25s" },
  });
  const token = await mint(urls, "demo-private", bearer);
  expect(await subscribe(client, "demo-private", token)).toMatchObject({
    ack: { resumed: false, epoch: expect.any(String), offset: "0", expiresAt: expect.any(String) },
  });
  expect(await subscribe(client, "demo")).toHaveProperty("ack");

  const { offset, epoch } = await publish(urls, "demo-private", { value: [1, null, "ü"] });
  await publish(urls, "demo", 2);
  expect(await client.find(updateOf("demo-private"))).toEqual({
    update: { datasource: "demo-private", offset, epoch, json: { value: [1, null, "ü"] } },
  });
  expect(await client.find(updateOf("demo"))).toMatchObject({ update: { json: 2 } });

  const newer = await mint(urls, "demo-private", bearer);
  const refreshed = await client.ask({ refresh: { datasource: "demo-private", token: newer } });
  expect(refreshed).toMatchObject({ ack: { epoch, offset: "1" } });

  await revoke(urls, newer, bearer);
  expect(await client.find(statusOf("demo-private"), REVOKED_WITHIN_MS)).toEqual({
    status: { datasource: "demo-private", state: "STATE_ENDED", reason: "revoked" },
  });
  await publish(urls, "demo-private", "after the end");
  await publish(urls, "demo", "still there");
  await client.find(({ update }) => update?.json === "still there");
  expect(client.frames.filter(updateOf("demo-private"))).toHaveLength(1);
});

test("a token that expires ends the stream on time, and nothing arrives after it", async () => {
  const { urls } = system;
  const client = await join();
  const token = await mint(urls, "demo-private", await signIn(urls));
  const { ack } = await subscribe(client, "demo-private", token);
  const expiresAtMs = Date.parse(ack?.expiresAt ?? "");
  const arrivals = recordArrivals(client);
  let publishing = true;
  onTestFinished(() => {
    publishing = false;
  });
  const publisher = (async () => {
    while (publishing) await publish(urls, "demo-private", Date.now());
  })();
  await client.find(statusOf("demo-private"), TOKEN_TTL_MS + 1_000);
  const endedAtMs = Date.now();
  await publish(urls, "demo-private", "too late");
  publishing = false;
  await publisher;
  expect(await client.ask({ ping: {} })).toHaveProperty("pong");

  expect(client.frames.find(statusOf("demo-private"))).toMatchObject({
    status: { reason: "token_expired" },
  });
  expect(endedAtMs - expiresAtMs).toBeGreaterThanOrEqual(0);
  expect(endedAtMs - expiresAtMs).toBeLessThan(500);
  const updates = arrivals.filter(({ frame }) => frame.update !== undefined);
  expect(updates.length).toBeGreaterThan(10);
  expect(Math.max(...updates.map(({ frame }) => Number(frame.update?.json)))).toBeLessThan(
    expiresAtMs,
  );
  const lastUpdate = client.frames.findLastIndex(updateOf("demo-private"));
  expect(lastUpdate).toBeLessThan(client.frames.findIndex(statusOf("demo-private")));
});

test("a refresh carries a stream beyond the end of its first token", async () => {
  const { urls } = system;
  const bearer = await signIn(urls);
  const client = await join();
  const token = await mint(urls, "demo-private", bearer);
  const { ack } = await subscribe(client, "demo-private", token);
  const firstEndMs = Date.parse(ack?.expiresAt ?? "");
  await eventually(() => expect(Date.now()).toBeGreaterThan(firstEndMs - TOKEN_TTL_MS / 2));
  const newer = await mint(urls, "demo-private", bearer);
  await client.ask({ refresh: { datasource: "demo-private", token: newer } });
  await eventually(() => expect(Date.now()).toBeGreaterThan(firstEndMs + 200));
  await publish(urls, "demo-private", "beyond");
  await client.find(({ update }) => update?.json === "beyond");
  expect(client.frames.filter(statusOf("demo-private"))).toEqual([]);
});

test("an anonymous token of a public datasource is enforced when it is shown", async () => {
  const { urls } = system;
  const client = await join();
  const token = await mint(urls, "demo");
  const { ack } = await subscribe(client, "demo", token);
  expect(ack).toHaveProperty("expiresAt");
  expect(await client.find(statusOf("demo"), TOKEN_TTL_MS + 1_000)).toMatchObject({
    status: { reason: "token_expired" },
  });
  expect(await subscribe(client, "demo", token)).toMatchObject({
    error: { code: "unauthenticated", status: 401, temporary: false },
  });
});

test("subscribe tells nobody without a token what exists", async () => {
  const client = await join();
  const answers = await Promise.all(
    ["demo-private", "no-such-datasource"].map((datasource) => subscribe(client, datasource)),
  );
  const [first, second] = answers.map(({ error }) => error);
  expect(first).toMatchObject({ code: "unauthenticated", status: 401 });
  expect(second).toEqual(first);
});

test("subscribe refuses tokens that are not for it", async () => {
  const { urls } = system;
  const bearer = await signIn(urls);
  const token = await mint(urls, "demo-private", bearer);
  const revoked = await mint(urls, "demo-private", bearer);
  await revoke(urls, revoked, bearer);
  const client = await join();
  const codes = [];
  const shown = ["garbage", bearer, revoked, `${token.slice(0, -3)}AAA`];
  for (const text of shown) codes.push((await subscribe(client, "demo-private", text)).error?.code);
  codes.push((await subscribe(client, "demo", token)).error?.code);
  expect(codes).toEqual([...shown.map(() => "unauthenticated"), "permission_denied"]);
});

test("a refresh needs a token of the same subject for the same datasource", async () => {
  const { urls } = system;
  const bearer = await signIn(urls);
  const client = await join();
  await subscribe(client, "demo", await mint(urls, "demo"));
  const refresh = async (token: string) =>
    (await client.ask({ refresh: { datasource: "demo", token } })).error?.code;
  expect(await refresh(await mint(urls, "demo", bearer))).toBe("permission_denied");
  expect(await refresh(await mint(urls, "demo-private", bearer))).toBe("permission_denied");
  expect(await refresh("")).toBe("invalid_argument");
  expect(await refresh(await mint(urls, "demo"))).toBeUndefined();
});

test("unsubscribe ends a stream and lets it be started again", async () => {
  const { urls } = system;
  const client = await join();
  await subscribe(client, "demo");
  expect((await subscribe(client, "demo")).error?.code).toBe("already_subscribed");
  expect(await client.ask({ unsubscribe: { datasource: "demo" } })).toHaveProperty("ack");
  await publish(urls, "demo", "unheard");
  const { ack } = await subscribe(client, "demo");
  await publish(urls, "demo", "heard");
  const { update } = await client.find(updateOf("demo"));
  expect(update).toMatchObject({ json: "heard", offset: String(Number(ack?.offset) + 1) });
  expect((await client.ask({ unsubscribe: { datasource: "other" } })).error?.code).toBe(
    "not_found",
  );
});

test("a datasource whose tokens are revoked ends for everybody, and its new version is open", async () => {
  const { urls } = system;
  await putDatasource(urls, "versioned", { visibility: "VISIBILITY_PUBLIC" });
  const client = await join();
  const other = await join();
  await subscribe(client, "versioned");
  await subscribe(other, "versioned", await mint(urls, "versioned"));
  await putDatasource(urls, "versioned", { visibility: "VISIBILITY_PUBLIC", revokeTokens: true });
  for (const session of [client, other]) {
    expect(await session.find(statusOf("versioned"), REVOKED_WITHIN_MS)).toMatchObject({
      status: { reason: "revoked" },
    });
  }
  expect(await subscribe(client, "versioned")).toHaveProperty("ack");
  await putDatasource(urls, "versioned", { visibility: "VISIBILITY_PRIVATE" });
  const ended = () => client.frames.filter(statusOf("versioned"));
  await eventually(() => expect(ended()).toHaveLength(2), REVOKED_WITHIN_MS);
  expect((await subscribe(client, "versioned")).error?.code).toBe("unauthenticated");
});

test("publicly subscribing is limited per address, and each wait in an answer is true", async () => {
  const address = freshAddress();
  const page = Array.from({ length: 50 }, (_, index) => ({ datasource: `no-such-${index}` }));
  const limited: Frame[] = [];
  while (limited.length === 0) {
    const client = await join(address);
    const { subscribed } = await client.ask({ subscribeAll: { subscriptions: page } });
    limited.push(...(subscribed?.results ?? []).filter(isRateLimited));
    await client.close();
  }
  const client = await join(address);
  const answers = await Promise.all(
    [...page, ...page].map(async ({ datasource }) => await subscribe(client, datasource)),
  );
  limited.push(...answers.filter(isRateLimited));
  expect(answers.filter(isRateLimited).length).toBeGreaterThan(1);
  for (const { error } of limited) {
    expect(error).toMatchObject({
      status: 429,
      temporary: true,
      retryAfter: expect.stringMatching(/^\d+(\.\d+)?s$/),
    });
  }
  const waits = answers.filter(isRateLimited).map(waitMsOf);
  expect(new Set(waits).size).toBe(waits.length);
  await sleep(Math.max(...waits));
  expect((await subscribe(client, "demo")).ack).toBeDefined();
  expect((await subscribe(await join(), "demo")).ack).toBeDefined();
});

function isRateLimited({ error }: Pick<Frame, "error">): boolean {
  return error?.code === "rate_limited";
}

function waitMsOf({ error }: Pick<Frame, "error">): number {
  return Number.parseFloat(error?.retryAfter ?? "") * 1_000;
}

test("a client without a subprotocol gets JSON, one with the binary one gets the same stream", async () => {
  const plain = await join(undefined, []);
  expect(plain.socket.protocol).toBe("");
  expect((await join()).socket.protocol).toBe(JSON_FRAMES);
  expect(await subscribe(plain, "demo")).toHaveProperty("ack");
});

test("the gateway counts connections, subscriptions, updates and closes", async () => {
  const { urls, metricsUrls } = system;
  const metric = (name: string, labels = {}) =>
    readMetric(metricsUrls.gateway, `portcullis_realtime_${name}`, labels);
  await putDatasource(urls, "counted", { visibility: "VISIBILITY_PUBLIC" });
  const before = await metric("updates_total");
  const closes = await metric("closes_total", { code: "1000" });
  const subscriptions = await metric("subscriptions");
  const client = await join();
  await subscribe(client, "counted");
  expect(await metric("subscriptions")).toBe(subscriptions + 1);
  await publish(urls, "counted", 1);
  expect(await metric("updates_total")).toBe(before + 1);
  client.socket.close(1000);
  await client.closed;
  await eventually(async () => {
    expect(await metric("subscriptions")).toBe(subscriptions);
    expect(await metric("closes_total", { code: "1000" })).toBe(closes + 1);
  });
  expect(await metric("revocation_lag")).toBeLessThan(3);
});

test("Publish is for publishers, and names the field that is wrong", async () => {
  const url = `${system.urls.gatewayRpc}/portcullis.realtime.v1.PublishService/Publish`;
  const good = { datasource: "demo", json: 1 };
  const token = TOKENS.publisher;
  const cases = [
    { body: good, token: TOKENS.gateway, status: 401, message: /token/ },
    { body: { json: 1 }, token, status: 400, message: /datasource/ },
    { body: { datasource: "demo" }, token, status: 400, message: /json/ },
    { body: { ...good, json: "x".repeat(65_536) }, token, status: 400, message: /json/ },
    { body: { ...good, json: "x".repeat(600_000) }, token, status: 413, message: /bytes/ },
  ];
  for (const { body, token, status, message } of cases) {
    const answer = await call(url, body, { token });
    expect(answer.status, String(message)).toBe(status);
    expect(answer.body["message"]).toMatch(message);
  }
  const inflated = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-encoding": "gzip",
      authorization: `Bearer ${token}`,
    },
    body: gzipSync(JSON.stringify({ ...good, json: "x".repeat(600_000) })),
  });
  expect(inflated.status).toBe(413);
  expect(await inflated.json()).toMatchObject({
    code: "invalid_argument",
    message: expect.stringMatching(/bytes/),
  });
  expect((await call(url, good)).status).toBe(401);
  expect((await call(url, { ...good, json: null }, { token })).status).toBe(200);
});

test("what is published in JSON arrives byte for byte, in both subprotocols", async () => {
  const { urls } = system;
  const client = await join();
  const binary = await connect(urls.gateway, {
    address: freshAddress(),
    subprotocols: [PROTO_FRAMES],
  });
  onTestFinished(() => binary.socket.terminate());
  const received: string[] = [];
  const inBinary: string[] = [];
  client.socket.on("message", (data) => received.push(String(data)));
  binary.socket.on("message", (data: Buffer) => {
    const { body } = fromBinary(ServerFrameSchema, data);
    if (body.case === "update") inBinary.push(body.value.jsonText);
    else inBinary.push(body.case ?? "");
  });
  await subscribe(client, "demo");
  const body = { case: "subscribe" as const, value: { datasource: "demo" } };
  binary.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, { id: 1, body })));
  await eventually(() => expect(inBinary).toContain("ack"));

  const texts = [
    '{"id": 1234567890123456789, "__proto__": {"a": 1}, "2": 1, "1": 2}',
    '{"a":1,"a":2,"b":[1.0,-0,1e400,"\\u00fc\\/\\ud800 ü"]}',
    "[ 1,\n\t2 ]",
    `"${"x".repeat(65_534)}"`,
  ];
  for (const text of texts) {
    const answer = await publishRaw(`{ "datasource":"demo", "json" : ${text} }`);
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { epoch: expect.any(String) },
    ]);
  }
  await eventually(() => expect(inBinary.slice(inBinary.indexOf("ack") + 1)).toEqual(texts));
  await eventually(() => expect(received).toHaveLength(texts.length + 1));
  for (const [index, text] of texts.entries()) {
    expect(received[index + 1]?.endsWith(`"json":${text}}}`), text.slice(0, 40)).toBe(true);
  }
});

test("Publish in JSON refuses what is not JSON, by name", async () => {
  const refused = [
    { body: '{"datasource":"demo","json":01}', message: /json/ },
    { body: '{"datasource":"demo","json":{"a":1]}', message: /json|object/ },
    { body: '{"datasource":"demo","json":1,"json":2}', message: /json/ },
    { body: '{"datasource":"demo","jsonText":"{"}', message: /json/ },
    { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), message: /UTF-8/ },
    { body: `{"datasource":"demo","json":"ü${"x".repeat(65_534)}"}`, message: /json .*65536/ },
  ];
  for (const { body, message } of refused) {
    const answer = await publishRaw(body);
    expect([answer.status, await answer.json()], String(message)).toMatchObject([
      400,
      { code: "invalid_argument", message: expect.stringMatching(message) },
    ]);
  }
});

test("Publish refuses datasources that nobody made, by name, however many, and takes new ones at once", async () => {
  const { urls } = system;
  const name = `made-later-${Date.now()}`;
  const flood = Array.from({ length: 60 }, (_, index) => `never-made-${index}`);
  const answers = await Promise.all(
    [name, ...flood].map(async (datasource) => await publishing.publish(urls, datasource, 1)),
  );
  for (const { status, body } of answers) {
    expect([status, body]).toMatchObject([
      404,
      { code: "not_found", message: expect.stringMatching(/datasource/) },
    ]);
  }
  await putDatasource(urls, name, { visibility: "VISIBILITY_PRIVATE" });
  expect(await publish(urls, name, 1)).toMatchObject({ offset: "1" });
  await runSql(system.databaseUrl, "delete from auth.datasources where name = $1", [name]);
  await eventually(async () => {
    expect((await publishing.publish(urls, name, 2)).status).toBe(404);
  });
});

test("several datasources are subscribed in one frame, charged once for all", async () => {
  const { urls } = system;
  const address = freshAddress();
  const client = await join(address);
  const token = await mint(urls, "demo-private", await signIn(urls));
  const subscriptions = [
    { datasource: "demo" },
    { datasource: "demo-private", token },
    { datasource: "no-such-datasource" },
    { datasource: "Demo" },
  ];
  const { subscribed } = await client.ask({ subscribeAll: { subscriptions } });
  expect(subscribed?.results).toEqual([
    { datasource: "demo", ack: expect.objectContaining({ resumed: false }) },
    { datasource: "demo-private", ack: expect.objectContaining({ expiresAt: expect.any(String) }) },
    { datasource: "no-such-datasource", error: expect.objectContaining({ status: 401 }) },
    { datasource: "Demo", error: expect.objectContaining({ status: 400 }) },
  ]);
  await publish(urls, "demo-private", "to all");
  expect(await client.find(updateOf("demo-private"))).toMatchObject({ update: { json: "to all" } });
  expect((await client.ask({ subscribeAll: {} })).error?.code).toBe("invalid_argument");
});

test("refreshes back to back take effect in order, and the newest token holds the stream", async () => {
  const { urls } = system;
  const bearer = await signIn(urls);
  const client = await join();
  const first = await mint(urls, "demo-private", bearer);
  await subscribe(client, "demo-private", first);
  const newer = await mint(urls, "demo-private", bearer);
  const newest = await mint(urls, "demo-private", bearer);
  for (const [id, token] of [first, newer, newest].entries()) {
    client.send({ id: 100 + id, refresh: { datasource: "demo-private", token } });
  }
  await client.find(({ id }) => id === 102);
  const answers = client.frames.filter(({ id = 0 }) => id >= 100);
  expect(answers.map(({ id, ack }) => [id, ack !== undefined])).toEqual([
    [100, true],
    [101, true],
    [102, true],
  ]);
  await revoke(urls, newer, bearer);
  await revoke(urls, newest, bearer);
  await client.find(statusOf("demo-private"), REVOKED_WITHIN_MS);
  expect(client.frames.filter(statusOf("demo-private"))).toMatchObject([
    { status: { reason: "revoked" } },
  ]);
});

async function publishRaw(body: string | Uint8Array): Promise<Response> {
  const url = `${system.urls.gatewayRpc}/portcullis.realtime.v1.PublishService/Publish`;
  const authorization = `Bearer ${TOKENS.publisher}`;
  const headers = { "content-type": "application/json", authorization };
  return await fetch(url, { method: "POST", headers, body });
}

async function join(
  address = freshAddress(),
  subprotocols: readonly string[] = [JSON_FRAMES],
): Promise<RealtimeClient> {
  const client = await connect(system.urls.gateway, { address, subprotocols });
  onTestFinished(() => client.socket.terminate());
  await client.find((frame) => frame.hello !== undefined);
  return client;
}

async function subscribe(client: RealtimeClient, datasource: string, token = ""): Promise<Frame> {
  return await client.ask({ subscribe: { datasource, token } });
}

function updateOf(datasource: string) {
  return (frame: Frame) => frame.update?.datasource === datasource;
}

function statusOf(datasource: string) {
  return (frame: Frame) => frame.status?.datasource === datasource;
}

function recordArrivals(client: RealtimeClient): { atMs: number; frame: Frame }[] {
  const arrivals: { atMs: number; frame: Frame }[] = [];
  client.socket.on("message", (data) => {
    arrivals.push({ atMs: Date.now(), frame: JSON.parse(String(data)) });
  });
  return arrivals;
}
