import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "../fixtures/call.ts";
import { PATIENCE, type System, startSystem, TOKENS } from "../fixtures/services.ts";
import { login, mint, mintToken, signIn } from "../fixtures/sign-in.ts";

let system: System;

beforeAll(async () => {
  system = await startSystem({ services: ["limiter", "auth"], environment: PATIENCE });
});
afterAll(async () => await system.stop());

test.each(["auth", "limiter"] as const)("%s is alive and ready", async (service) => {
  for (const path of ["healthz", "readyz"]) {
    const response = await fetch(`${system.urls[service]}/${path}`);
    expect(response.status).toBe(200);
  }
});

test("the demo account signs in, and a wrong password does not", async () => {
  expect(await login(system.urls, "portcullis-demo")).toMatchObject({
    status: 200,
    body: { accessToken: expect.any(String), refreshToken: expect.any(String) },
  });
  expect(await login(system.urls, "wrong")).toMatchObject({ status: 401 });
});

test("tokens are minted for whom they are for", async () => {
  expect(await mint(system.urls, "demo")).toMatchObject({ status: 200 });
  expect(await mint(system.urls, "demo-private")).toMatchObject({ status: 401 });
  const accessToken = await signIn(system.urls);
  expect(await mint(system.urls, "demo-private", accessToken)).toMatchObject({ status: 200 });
});

test("the three endpoints of the gateway answer its token, and no other", async () => {
  const sessionToken = await mintToken(system.urls, "demo-private", await signIn(system.urls));
  const requests = [
    { path: "datasource-introspect", body: { sessionToken }, answer: { active: true } },
    { path: "revoked-tokens", body: { sinceCursor: null, limit: 10 }, answer: { events: [] } },
    {
      path: "rate-limit/consume",
      body: { policy: "realtime.connect.ip", key: "203.0.113.9", cost: 1 },
      answer: { allowed: true },
    },
  ];
  for (const { path, body, answer } of requests) {
    const url = `${system.urls.auth}/internal/gateway/${path}`;
    const allowed = await call(url, body, { token: TOKENS.gateway });
    expect(allowed, path).toMatchObject({ status: 200, body: answer });
    expect(await call(url, body, { token: "wrong" }), path).toMatchObject({ status: 401 });
  }
});

test("the limiter decides for the operator", async () => {
  const url = `${system.urls.limiter}/portcullis.limiter.v1.LimiterService/Consume`;
  const buckets = [{ policy: "realtime.connect.ip", key: "198.51.100.7", cost: 1 }];
  expect(await call(url, { buckets }, { token: TOKENS.operator })).toMatchObject({
    status: 200,
    body: { decision: { outcome: "OUTCOME_ALLOWED" } },
  });
  expect(await call(url, { buckets })).toMatchObject({ status: 401 });
});
