import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  ClientFrameSchema,
  ServerFrameSchema,
} from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { eventually } from "../fixtures/eventually.ts";
import { type System, TOKENS } from "../fixtures/services.ts";
import { ENDLESS_FRAGMENTS, MESSAGE_TOO_LARGE } from "./engine-differences.ts";
import { findEngine } from "./engine-under-test.ts";
import {
  freshAddress,
  publish,
  putDatasource,
  readMetric,
  startGatewaySystem,
} from "./gateway-system.ts";
import { HANDSHAKE_LINES, sendRaw } from "./raw-request.ts";
import { connect, JSON_FRAMES, PROTO_FRAMES, type RealtimeClient } from "./realtime-client.ts";

/** The protocol's limit for a client frame. */
const FRAME_BYTES_MAX = 16 * 1024;

let system: System;
beforeAll(async () => {
  system = await startGatewaySystem();
});
afterAll(async () => {
  await system.stop();
});

test("a frame above the limit closes with 1009; far above it, as the engine does", async () => {
  const client = await join();
  const padding = FRAME_BYTES_MAX - '{"id":1,"ping":{}}'.length;
  client.send(`{"id":1,"ping":{}}${" ".repeat(padding)}`);
  await client.find(({ id }) => id === 1);
  client.send(" ".repeat(FRAME_BYTES_MAX + 1));
  expect(await client.closed).toEqual({ code: 1009, reason: "frame_too_large" });

  const other = await join();
  other.send("x".repeat(1024 * 1024));
  expect(await other.closed).toMatchObject({ code: MESSAGE_TOO_LARGE[engine()].code });
});

test("garbage is answered, then closes; it harms no other session", async () => {
  const bystander = await join();
  const client = await join();
  const garbage = ["", "x", "{}", "[]", "null", '{"id":7}', '{"id":8,"dance":{}}'];
  for (const text of garbage) client.send(text);
  expect(await client.find(({ id }) => id === 8)).toMatchObject({
    error: { code: "invalid_argument", status: 400, temporary: false },
  });
  expect(client.frames.filter(({ error }) => error !== undefined)).toHaveLength(garbage.length);
  for (let count = 0; count < 20; count++) client.send("{");
  expect(await client.closed).toMatchObject({ code: 4500 });
  expect(await bystander.ask({ ping: {} })).toHaveProperty("pong");
});

test("an RPC with a header that is no text is answered as if the header were not there", async () => {
  const requestLine = "POST /portcullis.realtime.v1.PublishService/Publish HTTP/1.1";
  const lines = ["content-type: application/json", "content-length: 2", "x-note: a\xffb"];
  const answer = await sendRaw(system.urls.gatewayRpc, requestLine, lines, "{}");
  expect(answer).toMatchObject({ status: 401, text: expect.stringContaining("token") });
});

test("a token may have several spaces in front of it", async () => {
  const requestLine = "POST /portcullis.identity.v1.IdentityService/WhoIsCalling HTTP/1.1";
  const lines = ["content-type: application/json", "content-length: 2"];
  const authorization = `authorization: Bearer   ${TOKENS.operator}`;
  const { gatewayRpc } = system.urls;
  expect((await sendRaw(gatewayRpc, requestLine, [...lines, authorization], "{}")).status).toBe(
    200,
  );
});

test("a binary frame in a JSON session, and a text frame in a binary one, close with 1003", async () => {
  const json = await join();
  json.send(Uint8Array.from([8, 1]));
  expect(await json.closed).toMatchObject({ code: 1003 });
  const binary = await connect(system.urls.gateway, {
    address: freshAddress(),
    subprotocols: [PROTO_FRAMES],
  });
  binary.send('{"ping":{}}');
  expect(await binary.closed).toMatchObject({ code: 1003 });
});

test("more frames than a session may send close it", async () => {
  const client = await join();
  for (let count = 0; count < 1_000; count++) client.send({ ping: {} });
  expect(await client.closed).toMatchObject({ code: 4201 });
  expect(client.frames.length).toBeLessThan(500);
});

test("control frames count like others, and honest ones close nothing", async () => {
  for (const kind of ["ping", "pong"] as const) {
    const client = await join();
    for (let count = 0; count < 20; count++) client.socket[kind]();
    expect(await client.ask({ ping: {} }), kind).toHaveProperty("pong");
    for (let count = 0; count < 1_000; count++) client.socket[kind]();
    expect(await client.closed, kind).toEqual({ code: 4201, reason: "frame_rate" });
  }
});

test("fragments that do not end hold no more than a frame may, and harm nobody", async () => {
  const bystander = await join();
  const client = await join();
  client.socket.send("{", { fin: false });
  for (let count = 0; count < 10_000; count++) client.socket.send("", { fin: false });
  for (let count = 0; count < 100; count++) client.socket.send(" ".repeat(1_024), { fin: false });
  expect(await client.closed).toMatchObject({ code: ENDLESS_FRAGMENTS[engine()].code });
  expect(await bystander.ask({ ping: {} })).toHaveProperty("pong");
});

test("names that are guessed cost subscribes, and auth is asked only within that limit", async () => {
  const asked = async () =>
    await readMetric(system.metricsUrls.auth, "http_server_request_duration_count", {
      http_route: "/internal/gateway/datasource-introspect",
    });
  // The series is there once auth was asked.
  await (await join()).ask({ subscribe: { datasource: "demo" } });
  const client = await join();
  const before = await asked();
  const statuses: unknown[] = [];
  for (let count = 0; count < 80; count++) {
    const answer = await client.ask({ subscribe: { datasource: `guess-${count}` } });
    statuses.push(answer.error?.["status"]);
  }
  const guesses = statuses.filter((status) => status === 401).length;
  expect(guesses).toBeGreaterThanOrEqual(60);
  expect(statuses.filter((status) => status === 429)).toHaveLength(80 - guesses);
  expect((await asked()) - before).toBe(guesses);
});

test("upgrades without a key that counts are refused and counted like others", async () => {
  const invalid = async () =>
    await readMetric(system.metricsUrls.gateway, "portcullis_realtime_upgrades_total", {
      result: "invalid",
    });
  const before = await invalid();
  const lines = HANDSHAKE_LINES.filter((line) => !line.toLowerCase().includes("-key"));
  const answer = await sendRaw(system.urls.gateway, "GET /gateway/realtime HTTP/1.1", lines, "");
  expect(answer.status).toBe(400);
  expect(await invalid()).toBe(before + 1);
});

test("connections that break in the middle of everything leave nothing behind", async () => {
  const connections = () => metric("connections");
  const before = await connections();
  const clients = await Promise.all(Array.from({ length: 20 }, () => join()));
  expect(await connections()).toBe(before + 20);
  for (const client of clients) {
    client.send({ subscribe: { datasource: "demo" } });
    client.socket.terminate();
  }
  await eventually(async () => {
    expect(await connections()).toBe(before);
    expect(await metric("subscriptions")).toBe(0);
  });
});

test("a binary session speaks the same protocol", async () => {
  const client = await connect(system.urls.gateway, {
    address: freshAddress(),
    subprotocols: [PROTO_FRAMES],
  });
  onTestFinished(() => client.socket.terminate());
  const frames: unknown[] = [];
  client.socket.on("message", (data: Buffer) => {
    frames.push(fromBinary(ServerFrameSchema, data).body);
  });
  const body = { case: "subscribe" as const, value: { datasource: "demo" } };
  client.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, { id: 1, body })));
  await eventually(() => expect(frames).toContainEqual(expect.objectContaining({ case: "ack" })));
  await publish(system.urls, "demo", "binary");
  await eventually(() =>
    expect(frames.at(-1)).toMatchObject({
      case: "update",
      value: { datasource: "demo", json: { kind: { case: "stringValue", value: "binary" } } },
    }),
  );
});

test("a slow reader gets the latest value instead of all, and holds up nobody", async () => {
  const { urls } = system;
  await putDatasource(urls, "heavy", { visibility: "VISIBILITY_PUBLIC" });
  const slow = await join();
  const quick = await join();
  for (const client of [slow, quick]) await client.ask({ subscribe: { datasource: "heavy" } });
  slow.socket.pause();
  const filler = "x".repeat(60_000);
  const published = 400;
  for (let count = 1; count <= published; count++) await publish(urls, "heavy", { count, filler });
  await quick.find(({ update }) => update?.offset === String(published));
  expect(quick.frames.filter(({ update }) => update !== undefined)).toHaveLength(published);
  expect(await metric("conflated_total")).toBe(0);

  slow.socket.resume();
  await slow.find(({ update }) => update?.offset === String(published));
  const offsets = slow.frames.flatMap(({ update }) => (update ? [Number(update.offset)] : []));
  expect(offsets.length).toBeLessThan(published);
  expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
  expect(await metric("conflated_total")).toBe(published - offsets.length);
  expect(await slow.ask({ ping: {} })).toHaveProperty("pong");
});

async function join(): Promise<RealtimeClient> {
  const client = await connect(system.urls.gateway, {
    address: freshAddress(),
    subprotocols: [JSON_FRAMES],
  });
  onTestFinished(() => client.socket.terminate());
  await client.find((frame) => frame.hello !== undefined);
  return client;
}

function engine(): "uws" | "ws" {
  return findEngine(system.services.gateway.output()).engine;
}

async function metric(name: string): Promise<number> {
  return await readMetric(system.metricsUrls.gateway, `portcullis_realtime_${name}`);
}
