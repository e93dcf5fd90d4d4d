import { Agent, createServer, type IncomingHttpHeaders, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { RUNNABLE_PROXIES, type RunnableProxy, startProxy } from "../../tools/edge/start-proxy.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { canRun } from "./can-run.ts";
import { createCertificate } from "./certificate.ts";
import { edgeConfig } from "./edge-fixture.ts";
import { API } from "./routes.ts";

/** What a browser may carry along: a few kilobytes, and the most that any server promises. */
const ACCEPTED_COOKIE_BYTES = [100, 3_700, 6_000, 7_900, 12_000, 16_000];
/** Heads that no service would take, without any cookie. */
const REFUSED_FILLER_BYTES = [17_000, 20_000, 24_000, 27_000, 40_000, 60_000];
/** Not shorter when HTTP/2 compresses it. */
const FILLER = "X";
const LONG_BODY_BYTES = 70_000;

for (const proxy of RUNNABLE_PROXIES) {
  describe.runIf(canRun(proxy))(`${proxy} as edge`, () => {
    test("takes 16 KB of cookies on one kept connection, and passes none of them on", async () => {
      const { send, take } = await setup(proxy);
      for (const bytes of ACCEPTED_COOKIE_BYTES) {
        expect(await send({ headers: { cookie: "c".repeat(bytes) } })).toMatchObject({
          status: 200,
          text: "ok",
        });
      }
      const received = take();
      expect(received).toHaveLength(ACCEPTED_COOKIE_BYTES.length);
      expect(received.filter(({ cookie }) => cookie !== undefined)).toEqual([]);
    });

    test("answers what is too long with 431 or 413 and a body, on kept connections as on new ones", async () => {
      const { send, take } = await setup(proxy);
      for (const bytes of REFUSED_FILLER_BYTES) {
        const refused = await send({ headers: { "x-filler": FILLER.repeat(bytes) } });
        expect(refused, `${bytes} bytes of head`).toMatchObject({
          status: 431,
          text: expect.stringMatching(/./),
        });
        expect(await send({})).toMatchObject({ status: 200 });
      }
      expect(take().filter((headers) => headers["x-filler"] !== undefined)).toEqual([]);
      for (const isSized of [true, false]) {
        const refused = await send({ body: "b".repeat(LONG_BODY_BYTES), isSized });
        expect(refused, `with a length: ${isSized}`).toMatchObject({
          status: 413,
          text: expect.stringMatching(/./),
          readableBy: "*",
        });
        expect(await send({})).toMatchObject({ status: 200 });
      }
    });

    test("lets a browser's page read that no service answers, and leaves a service its own word", async () => {
      const { send, stopService } = await setup(proxy);
      expect(await send({})).toMatchObject({ status: 200, readableBy: undefined });
      await stopService();
      expect(await send({})).toMatchObject({
        status: expect.toSatisfy((status) => status === 502 || status === 503),
        readableBy: "*",
      });
    });

    test("does the same over HTTP/2, and no head ends the connection of the others", async () => {
      const { session, take } = await setupHttp2(proxy);
      for (const bytes of ACCEPTED_COOKIE_BYTES) {
        expect(await sendOver(session, { cookie: "c".repeat(bytes) })).toBe(200);
      }
      expect(take().filter(({ cookie }) => cookie !== undefined)).toEqual([]);
      for (const bytes of REFUSED_FILLER_BYTES) {
        expect(await sendOver(session, { "x-filler": FILLER.repeat(bytes) })).toBe(431);
      }
      expect(await sendOver(session, {})).toBe(200);
      expect(await sendOver(session, {}, "b".repeat(LONG_BODY_BYTES))).toBe(413);
      expect(await sendOver(session, {})).toBe(200);
      expect(session.closed).toBe(false);
    });
  });
}

/** A service with the limits of ours: the longest head of Node, and an answer with a body beyond. */
async function startService() {
  const received: IncomingHttpHeaders[] = [];
  const server = createServer({ maxHeaderSize: 16_384 }, (incoming, response) => {
    received.push(incoming.headers);
    incoming.resume();
    response.end("ok");
  });
  server.on("clientError", (_error, socket) => {
    const head = "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close";
    socket.end(`${head}\r\nContent-Length: 8\r\n\r\ntoo long`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the service has no port");
  return {
    port: address.port,
    take: () => received.splice(0),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function setup(proxy: RunnableProxy) {
  const service = await startService();
  const port = await findFreePort();
  const config = edgeConfig(port, service.port);
  const edge = await startProxy({ proxy, config, path: process.env["PATH"] });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(async () => {
    agent.destroy();
    await edge.stop();
    await service.stop();
  });
  const send = async ({ headers = {}, body = "", isSized = true }: Sent): Promise<Answer> => {
    const sized = isSized ? { "content-length": body.length } : {};
    const sending = request({
      ...{ port, host: "127.0.0.1", method: "POST", path: API.path, agent },
      headers: { "content-type": "application/json", ...sized, ...headers },
    });
    return await new Promise((resolve, reject) => {
      // A server that refuses may close while the body is still being written.
      sending.on("error", reject);
      sending.on("response", (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("close", () => {
          const readableBy = response.headers["access-control-allow-origin"];
          resolve({ status: response.statusCode ?? 0, text, readableBy });
        });
      });
      sending.end(body);
    });
  };
  return { send, take: service.take, stopService: service.stop };
}

type Sent = { headers?: Record<string, string>; body?: string; isSized?: boolean };
type Answer = { status: number; text: string; readableBy: string | undefined };

async function setupHttp2(proxy: RunnableProxy) {
  const { certificate, key } = createCertificate();
  const service = await startService();
  const port = await findFreePort();
  const extra = `tls: { certificate: ${certificate}, key: ${key} }`;
  const config = edgeConfig(port, service.port, { extra });
  const edge = await startProxy({ proxy, config, path: process.env["PATH"] });
  // The certificate was made a moment ago; nobody vouches for it.
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  onTestFinished(async () => {
    session.destroy();
    await edge.stop();
    await service.stop();
  });
  await new Promise((resolve, reject) => {
    session.once("connect", resolve);
    session.once("error", reject);
  });
  return { session, take: service.take };
}

async function sendOver(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body = "",
): Promise<number> {
  return await new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": API.path, ...headers });
    stream.on("response", (received) => {
      resolve(Number(received[":status"]));
      stream.resume();
    });
    stream.on("error", reject);
    stream.end(body);
  });
}
