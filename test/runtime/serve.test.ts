import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { IdentityService } from "../../gen/portcullis/identity/v1/identity_pb.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { sendJson, serve } from "../../services/runtime/serve.ts";
import { openToAnyone, PLAIN_GET } from "../../services/runtime/way-in/route-policy.ts";

test("serve() answers health, routes with a query, and 404 for the rest", async () => {
  const { url } = await setup();
  const health = await fetch(`${url}/healthz`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { status: "alive", dependencies: { database: "down" } },
  ]);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(await (await fetch(`${url}/slow?x=1`)).json()).toEqual({ done: true });
  const wrong = await fetch(`${url}/slow`, { method: "POST" });
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  expect((await fetch(`${url}/healthz`, { method: "HEAD" })).status).toBe(200);
  expect((await fetch(`${url}/healthz`, { method: "OPTIONS" })).status).toBe(204);
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
});

test("stop() finishes what is under way and refuses what is new", async () => {
  const { url, server } = await setup();
  const underWay = fetch(`${url}/slow`);
  await sleep(50);
  const stopped = server.stop();
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  expect(await (await underWay).json()).toEqual({ done: true });
  await stopped;
});

test("serve() rejects when the port is taken", async () => {
  const { server } = await setup();
  await expect(start(server.port)).rejects.toThrow("EADDRINUSE");
});

test("serve() serves RPCs whatever a client says the host is, or when it says none", async () => {
  const { server } = await setup();
  const heads = [
    "HTTP/1.0",
    "HTTP/1.1\r\nhost: [::",
    "HTTP/1.1\r\nhost: a b",
    "HTTP/1.1\r\nhost: ",
    "HTTP/1.1\r\nhost: auth:99999",
    "HTTP/1.1\r\nhost: a\r\nhost: b",
  ];
  for (const head of heads) {
    const rpc = `POST ${RPC} ${head}`;
    const headers = `authorization: ${OPERATOR}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close`;
    expect(await sendBytes(server.port, `${rpc}\r\n${headers}\r\n\r\n{}`), head).toMatch(
      /^HTTP\/1\.1 200 OK\r\n.*"address":"nobody"/s,
    );
  }
});

const oversized: ReadonlyArray<[string, RequestInit]> = [
  ["whose length is told", { body: "x".repeat(2_048) }],
  ["whose length is not told", { body: stream("x".repeat(2_048)), duplex: "half" }],
  ["that was compressed", compressed(gzipSync(JSON.stringify({ probe: "x".repeat(9_999) })))],
];

test.each(oversized)(
  "serve() takes a message %s for bad input, not for a limit",
  async (_, init) => {
    const { url } = await setup();
    const response = await ask(url, init);
    expect([response.status, await response.json()]).toEqual([
      413,
      expect.objectContaining({
        code: "invalid_argument",
        message: "body: holds at most 1024 bytes",
      }),
    ]);
  },
);

test.each([
  ["gzip", gzipSync("{}")],
  ["br", brotliCompressSync("{}")],
])("serve() reads %s of known callers alone", async (encoding, body) => {
  const { url } = await setup();
  const init = { body, headers: { "content-encoding": encoding } };
  const known = await ask(url, init);
  expect([known.status, await known.json()]).toMatchObject([200, { address: "nobody" }]);
  const stranger = await ask(`${url}/open`, { ...init, headers: { ...init.headers, ...STRANGER } });
  expect([stranger.status, await stranger.json()]).toMatchObject([
    501,
    { code: "unimplemented", message: "content-encoding: is for known callers only" },
  ]);
});

test("serve() refuses strangers and wrong callers by the head alone", async () => {
  const { server } = await setup();
  for (const [authorization, status] of [
    ["", 401],
    ["authorization: Bearer wrong\r\n", 401],
    ["authorization: Bearer token-of-a-reader\r\n", 403],
  ]) {
    // The body is announced, and never sent.
    const head = `POST ${RPC} HTTP/1.1\r\nhost: a\r\n${authorization}content-length: 1000\r\n\r\n`;
    const answer = await firstBytes(server.port, head);
    expect(answer, String(authorization)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  }
});

test("an address that shows wrong tokens is told to wait, whoever shows the right one is not", async () => {
  const { url } = await setup();
  const tries = Array.from({ length: 300 }, () =>
    ask(url, { headers: { authorization: "Bearer x" } }),
  );
  const statuses = (await Promise.all(tries)).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect((await ask(url, { body: "{}" })).status).toBe(200);
});

const unreadable: ReadonlyArray<[string, string, Uint8Array<ArrayBuffer>]> = [
  ["JSON of many values", "application/json", bytesOf(`{"probe":[${"{},".repeat(300)}{}]}`)],
  ["JSON that is cut off", "application/json", bytesOf('{"probe":')],
  ["JSON that is nested", "application/json", bytesOf(`{"probe":${"[".repeat(500)}`)],
  ["malformed protobuf", "application/proto", new Uint8Array([0x0a, 0xff, 0x01])],
  ["text that is not UTF-8", "application/proto", new Uint8Array([0x0a, 0x01, 0xff])],
  ["a group", "application/proto", new Uint8Array([0x0b, 0x0c])],
  ["gRPC-Web that is compressed", "application/grpc-web+proto", new Uint8Array([1, 0, 0, 0, 0])],
  ["gRPC-Web in two envelopes", "application/grpc-web+proto", new Uint8Array(10)],
];

test.each(unreadable)("serve() answers 400 to %s", async (_, contentType, body) => {
  const { url } = await setup();
  const response = await ask(url, { body, headers: { "content-type": contentType } });
  expect([response.status, await response.json()]).toMatchObject([
    400,
    { code: "invalid_argument" },
  ]);
});

test("serve() answers 415 to a content type that it does not read", async () => {
  const { url } = await setup();
  const response = await ask(url, { body: "{}", headers: { "content-type": "text/plain" } });
  expect(response.status).toBe(415);
});

const heads: ReadonlyArray<[string, string, number]> = [
  ["16 KB in one header", `x: ${"a".repeat(17_000)}\r\n`, 431],
  ["16 KB in many headers", "x: y\r\n".repeat(17_000), 431],
  ["more than 200 lines", "x: y\r\n".repeat(200), 431],
  ["15 KB of cookies", `cookie: ${"a".repeat(15_000)}\r\n`, 200],
  ["190 lines", "x: y\r\n".repeat(190), 200],
  ["no HTTP", "\u0000\u0001\r\n", 400],
  ["two lengths", "content-length: 1\r\ncontent-length: 2\r\n", 400],
];

test.each(heads)("serve() answers a head with %s", async (_, lines, status) => {
  const { server } = await setup();
  const head = `GET /healthz HTTP/1.1\r\nhost: a\r\n${lines}connection: close\r\n\r\n`;
  expect(await firstBytes(server.port, head)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  const pieces = head.match(/.{1,500}/gs) ?? [];
  expect(await firstBytes(server.port, ...pieces)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});

test("a body of a byte a piece takes no more memory than its bytes", async () => {
  const { server } = await setup();
  const sockets = Array.from({ length: 20 }, () => {
    const socket = connect(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.resume().on("error", () => undefined);
    socket.write(
      `POST ${RPC} HTTP/1.1\r\nhost: a\r\nauthorization: ${OPERATOR}\r\n` +
        "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    return socket;
  });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const pieces = Buffer.from("1\r\nA\r\n".repeat(50_000));
  for (const socket of sockets) socket.write(pieces);
  await Promise.all(sockets.map(async (socket) => await once(socket, "close")));
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
});

test("an unfinished head and an unfinished body are answered 408 and closed in time", async () => {
  const { server } = await setup();
  const head = `POST ${RPC} HTTP/1.1\r\nhost: a\r\n`;
  const body = `${head}authorization: ${OPERATOR}\r\ncontent-length: 100\r\n\r\n{`;
  const answers = await Promise.all([head, "GET", body].map((text) => allBytes(server.port, text)));
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408 /);
});

test("connections that wait make room for newcomers, and known callers keep theirs", async () => {
  const { server, url } = await setup();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  expect(await askWith(agent, server.port)).toMatchObject({ status: 200, isReused: false });
  // More than one address may have. Nothing is ever sent on them.
  const idle = Array.from({ length: 2_200 }, () => connect(server.port, "127.0.0.1"));
  onTestFinished(() => {
    for (const socket of idle) socket.destroy();
  });
  const closed = idle.map(
    (socket) =>
      new Promise((resolve) => socket.resume().on("error", resolve).once("close", resolve)),
  );
  await Promise.race(closed);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(await askWith(agent, server.port)).toMatchObject({ status: 200, isReused: true });
});

test("an address over its share in flight is refused, and a known caller is not", async () => {
  const { server, url } = await setup();
  const stalled = Array.from({ length: 300 }, () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      `POST /open${RPC} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n` +
        "content-length: 10\r\n\r\n{",
    );
    return socket;
  });
  onTestFinished(() => {
    for (const socket of stalled) socket.destroy();
  });
  const [refused] = await Promise.race(stalled.map(async (socket) => await once(socket, "data")));
  expect(String(refused)).toMatch(/^HTTP\/1.1 429 .*retry-after: 1/s);
  expect((await ask(url, { body: "{}" })).status).toBe(200);
});

const RPC = "/portcullis.identity.v1.IdentityService/WhoIsCalling";
const OPERATOR = "Bearer token-of-the-operator";
const STRANGER = { authorization: "" };

/** Asks the RPC as the operator, unless told otherwise. */
async function ask(url: string, init: RequestInit): Promise<Response> {
  return await fetch(`${url}${RPC}`, {
    method: "POST",
    ...init,
    headers: {
      "content-type": "application/json",
      authorization: OPERATOR,
      ...Object.fromEntries(new Headers(init.headers)),
    },
  });
}

async function askWith(agent: Agent, port: number): Promise<{ status: number; isReused: boolean }> {
  const headers = { authorization: OPERATOR, "content-type": "application/json" };
  const call = request({ agent, port, path: RPC, method: "POST", headers });
  call.end("{}");
  const [response] = await once(call, "response");
  response.resume();
  await once(response, "end");
  return { status: Number(response.statusCode), isReused: call.reusedSocket };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function stream(text: string): ReadableStream {
  return new Blob([text]).stream();
}

function compressed(body: Uint8Array<ArrayBuffer>): RequestInit {
  return { body, headers: { "content-encoding": "gzip" } };
}

/** Sends pieces one after another. Returns the first bytes that come back. */
async function firstBytes(port: number, ...pieces: string[]): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const answer = once(socket, "data");
  for (const piece of pieces) {
    if (!socket.writable) break;
    await new Promise((resolve) => socket.write(piece, "latin1", resolve));
  }
  return String((await answer)[0]);
}

/** Sends bytes. Returns all that comes back until the connection ends. */
async function allBytes(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(text);
  let answer = "";
  for await (const piece of socket) answer += String(piece);
  return answer;
}

async function sendBytes(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(request);
  let answer = "";
  for await (const piece of socket) answer += String(piece);
  return answer;
}

async function start(port: number) {
  return await serve({
    door: "test",
    kind: "public",
    callers: {
      operator: [new Secret("token-of-the-operator")],
      reader: [new Secret("token-of-a-reader")],
    },
    trust: { hops: 0 },
    policies: {
      [`POST ${RPC}`]: { ...openToAnyone(), callers: ["operator"], bodyBytesMax: 1_024 },
      [`POST /open${RPC}`]: openToAnyone(),
      "GET /slow": PLAIN_GET,
    },
    host: "127.0.0.1",
    port,
    log: pino({ level: "silent" }),
    routes: (router) => {
      router.service(IdentityService, { whoIsCalling: () => ({ address: "nobody" }) });
    },
    interceptors: [],
    dependencies: () => ({ database: "down" }),
    httpRoutes: {
      [`POST /open${RPC}`]: ({ response }) => sendJson(response, 200, {}),
      "GET /slow": async ({ response }) => {
        await sleep(200);
        sendJson(response, 200, { done: true });
      },
    },
  });
}

async function setup() {
  const server = await start(0);
  onTestFinished(async () => await server.stop());
  return { server, url: `http://127.0.0.1:${server.port}` };
}
