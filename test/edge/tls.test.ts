import { connect } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { formatRequest } from "../../tools/edge/prove/raw-request.ts";
import { startRecorder, valuesOf } from "../../tools/edge/prove/recorder.ts";
import { RUNNABLE_PROXIES, startProxy } from "../../tools/edge/start-proxy.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { canRun } from "./can-run.ts";
import { createCertificate } from "./certificate.ts";
import { edgeConfig } from "./edge-fixture.ts";
import { API, REALTIME, requestOn } from "./routes.ts";

for (const proxy of RUNNABLE_PROXIES) {
  describe.runIf(canRun(proxy))(`${proxy} with a certificate`, () => {
    test("speaks TLS, offers HTTP/2, and tells the services that it was https", async () => {
      const { port, recorder } = await setup(proxy);
      for (const route of [API, REALTIME]) {
        const lines = ["X-Forwarded-Proto: http", "X-Forwarded-For: 6.6.6.6"];
        const request = requestOn(route, { id: "", lines, forwardedLines: ["6.6.6.6"] });
        const status = await sendOverTls(port, "http/1.1", formatRequest(request));
        expect(status).toBe(route.upgrade ? 101 : 200);
        const [recorded] = recorder.take();
        expect(recorded && valuesOf(recorded, "x-forwarded-proto")).toEqual(["https"]);
        expect(recorded && valuesOf(recorded, "x-forwarded-for")).toEqual(["127.0.0.1"]);
      }
      expect(await negotiate(port)).toBe("h2");
    });
  });
}

async function setup(proxy: (typeof RUNNABLE_PROXIES)[number]) {
  const { certificate, key } = createCertificate();
  const recorder = await startRecorder();
  const port = await findFreePort();
  const extra = `tls: { certificate: ${certificate}, key: ${key} }`;
  const config = edgeConfig(port, recorder.port, { extra });
  const edge = await startProxy({ proxy, config, path: process.env["PATH"] });
  onTestFinished(async () => {
    await edge.stop();
    await recorder.stop();
  });
  return { port, recorder };
}

async function sendOverTls(port: number, protocol: string, bytes: Buffer): Promise<number> {
  return await new Promise((resolve, reject) => {
    const socket = openTls(port, protocol, () => socket.write(bytes));
    socket.once("data", (chunk) => {
      socket.destroy();
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(chunk.toString("latin1"))?.[1] ?? 0));
    });
    socket.once("error", reject);
  });
}

async function negotiate(port: number): Promise<string | false | null> {
  return await new Promise((resolve, reject) => {
    const socket = openTls(port, "h2", () => {
      socket.destroy();
      resolve(socket.alpnProtocol);
    });
    socket.once("error", reject);
  });
}

function openTls(port: number, protocol: string, onConnected: () => void) {
  const name = { servername: "edge.example", ALPNProtocols: [protocol] };
  // The certificate was made a moment ago; nobody vouches for it.
  return connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...name }, onConnected);
}
