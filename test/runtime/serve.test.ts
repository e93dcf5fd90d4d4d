import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { IdentityService } from "../../gen/portcullis/identity/v1/identity_pb.ts";
import { sendJson, serve } from "../../services/runtime/serve.ts";

test("serve() answers health, routes with a query, and 404 for the rest", async () => {
  const { url } = await setup();
  const health = await fetch(`${url}/healthz`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { status: "alive", dependencies: { database: "down" } },
  ]);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(await (await fetch(`${url}/slow?x=1`)).json()).toEqual({ done: true });
  expect((await fetch(`${url}/slow`, { method: "POST" })).status).toBe(404);
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
    const rpc = `POST /portcullis.identity.v1.IdentityService/WhoIsCalling ${head}`;
    const headers = "content-type: application/json\r\ncontent-length: 2\r\nconnection: close";
    expect(await sendBytes(server.port, `${rpc}\r\n${headers}\r\n\r\n{}`), head).toMatch(
      /^HTTP\/1\.1 200 OK\r\n.*"address":"nobody"/s,
    );
  }
});

test("serve() never takes a message that is too large for a limit that is reached", async () => {
  const { url } = await setup();
  const response = await fetch(`${url}/portcullis.identity.v1.IdentityService/WhoIsCalling`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ probe: "x".repeat(1_024) }),
  });
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ code: "invalid_argument" });
});

const oversized: ReadonlyArray<[string, RequestInit]> = [
  ["whose length is not told", { body: stream("x".repeat(2_048)), duplex: "half" }],
  ["that was compressed", compressed(gzipSync(JSON.stringify({ probe: "x".repeat(9_999) })))],
];

test.each(oversized)(
  "serve() takes a message %s for bad input, not for a limit",
  async (_, init) => {
    const { url } = await setup();
    const response = await fetch(`${url}/portcullis.identity.v1.IdentityService/WhoIsCalling`, {
      method: "POST",
      ...init,
      headers: { "content-type": "application/json", ...init.headers },
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      code: "invalid_argument",
      message: "a request holds at most 1024 bytes",
    });
  },
);

test("serve() reads messages that were compressed", async () => {
  const { url } = await setup();
  const response = await fetch(`${url}/portcullis.identity.v1.IdentityService/WhoIsCalling`, {
    method: "POST",
    ...compressed(gzipSync("{}")),
  });
  expect([response.status, await response.json()]).toMatchObject([200, { address: "nobody" }]);
});

function stream(text: string): ReadableStream {
  return new Blob([text]).stream();
}

function compressed(body: Uint8Array<ArrayBuffer>): RequestInit {
  return { body, headers: { "content-type": "application/json", "content-encoding": "gzip" } };
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
    host: "127.0.0.1",
    port,
    log: pino({ level: "silent" }),
    routes: (router) => {
      router.service(IdentityService, { whoIsCalling: () => ({ address: "nobody" }) });
    },
    interceptors: [],
    readBytesMax: 1_024,
    dependencies: () => ({ database: "down" }),
    httpRoutes: {
      "GET /slow": async (_request, response) => {
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
