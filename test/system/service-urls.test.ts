import { once } from "node:events";
import { request } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { call } from "../fixtures/call.ts";
import { makeCertificate } from "../fixtures/certificate.ts";
import { connect } from "../fixtures/realtime-connection.ts";
import { PATIENCE, type System, startSystem, TOKENS } from "../fixtures/services.ts";
import { login, mintToken, signIn } from "../fixtures/sign-in.ts";

const certificate = makeCertificate();
let system: System;
beforeAll(async () => {
  system = await startSystem({ services: ["limiter", "auth"], environment: PATIENCE });
});
afterAll(async () => {
  await system.stop();
  certificate.remove();
});

test("auth asks a limiter behind TLS and below a path", async () => {
  const { urls } = await startBehindTls("auth", {
    LIMITER_URL: await startTlsProxy(system.urls.limiter, "/mesh/limiter"),
  });
  expect(await login(urls, "portcullis-demo")).toMatchObject({ status: 200 });
  const { body } = await call(
    `${urls.auth}/internal/gateway/rate-limit/consume`,
    { policy: "realtime.connect.ip", key: "203.0.113.9" },
    { token: TOKENS.gateway },
  );
  expect(body).toMatchObject({ allowed: true, reason: "allowed" });
});

test("the gateway asks auth and a limiter behind TLS and below a path", async () => {
  const { urls } = await startBehindTls("gateway", {
    LIMITER_URL: await startTlsProxy(system.urls.limiter, "/mesh/limiter"),
    AUTH_URL: await startTlsProxy(system.urls.auth, "/mesh/auth"),
  });
  const check = `${urls.gatewayRpc}/portcullis.realtime.v1.DependencyService/Check`;
  const { body } = await call(check, {}, { token: TOKENS.operator });
  expect(body["dependencies"]).toEqual(
    Array.from({ length: 4 }, () => expect.objectContaining({ ok: true })),
  );
  const connection = await connect(urls.gateway);
  onTestFinished(connection.close);
  const token = await mintToken(system.urls, "demo-private", await signIn(system.urls));
  const subscribe = { datasource: "demo-private", token };
  expect(await connection.request({ subscribe })).toHaveProperty("ack");
});

async function startBehindTls(service: "auth" | "gateway", environment: Record<string, string>) {
  const started = await startSystem({
    services: [service],
    databaseUrl: system.databaseUrl,
    environment: { ...PATIENCE, NODE_EXTRA_CA_CERTS: certificate.file, ...environment },
  });
  onTestFinished(started.stop);
  return started;
}

/** A mesh in front of a service: it adds TLS and a path prefix that the service never sees. */
async function startTlsProxy(target: string, prefix: string): Promise<string> {
  const { cert, key } = certificate;
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const path = incoming.url?.startsWith(`${prefix}/`) ? incoming.url.slice(prefix.length) : "/";
    const { method, headers } = incoming;
    const onward = request(`${target}${path}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return `https://localhost:${port}${prefix}/`;
}
