import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { PROBE_HEADER, signProbe } from "../../services/runtime/probe.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { checkDependencies } from "../../tools/rollout/judge/check-dependencies.ts";
import { call } from "../fixtures/call.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { type ServiceUrls, type System, startSystem, TOKENS } from "../fixtures/services.ts";

const NONCE = "00112233445566778899aabbccddeeff";
const RPC = "portcullis.identity.v1.IdentityService/WhoIsCalling";

let system: System;
beforeAll(async () => {
  system = await startSystem({ environment: { API_TRUST_PROXY_HOPS: "1" } });
});
afterAll(async () => await system?.stop());

test("WhoIsCalling tells every service's own view to the operator, and to nobody else", async () => {
  for (const name of ["auth", "limiter", "gatewayRpc"] as const) {
    const { status, body } = await ask(name, {}, { "x-forwarded-for": "203.0.113.9" });
    expect(status, name).toBe(200);
    expect(body, name).toEqual({
      address: name === "gatewayRpc" ? "127.0.0.1" : "203.0.113.9",
      source: name === "gatewayRpc" ? "SOURCE_SOCKET" : "SOURCE_FORWARDED",
      warning: "",
      hops: name === "gatewayRpc" ? 0 : 1,
      entries: 1,
      failureMode: "fail-closed",
      configHash: expect.stringMatching(/^[0-9a-f]{16}$/),
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      revision: expect.stringMatching(/^[\w.+-]+$/),
    });
    const url = `${system.urls[name]}/${RPC}`;
    expect((await call(url, {})).status, name).toBe(401);
    expect((await call(url, {}, { token: TOKENS.gateway })).status, name).toBe(401);
  }
});

test("WhoIsCalling names the limits that run: another policies file has another hash", async () => {
  const policies = await writePolicies((yaml) => yaml.replace("limit: 30", "limit: 31"));
  onTestFinished(policies.remove);
  const { urls, stop } = await startSystem({
    environment: { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" },
    environmentOf: { limiter: policies.environment },
    services: ["limiter"],
  });
  onTestFinished(stop);
  const askFor = async (url: string) =>
    (await call(`${url}/${RPC}`, { withSettings: true }, { token: TOKENS.operator })).body;
  const [before, after] = [await askFor(system.urls.limiter), await askFor(urls.limiter)];
  expect(before).toMatchObject({ settings: { backend: "postgres" } });
  expect(after["configHash"]).not.toBe(before["configHash"]);
  expect(after["settings"]).not.toEqual(before["settings"]);
  expect(await askFor(system.urls.auth)).toMatchObject({ settings: before["settings"] });
});

test("WhoIsCalling tells what an earlier request with a probe was taken for", async () => {
  const header = signProbe(NONCE, new Secret(TOKENS.operator));
  await fetch(`${system.urls.auth}/.well-known/jwks.json`, {
    headers: { [PROBE_HEADER]: header, "x-forwarded-for": "192.0.2.1, 203.0.113.9" },
  });
  const { body } = await ask("auth", { probe: NONCE });
  expect(body).toMatchObject({
    address: "203.0.113.9",
    entries: 2,
    findings: { byHops: ["127.0.0.1", "203.0.113.9", "192.0.2.1"] },
  });
});

test("WhoIsCalling names probes that it has not seen, or that are none", async () => {
  expect(await ask("auth", { probe: "f".repeat(32) })).toMatchObject({
    status: 404,
    body: { code: "not_found" },
  });
  expect(await ask("gatewayRpc", { probe: "../etc" })).toMatchObject({
    status: 400,
    body: { code: "invalid_argument" },
  });
});

test("DependencyService/Check names what the gateway cannot reach, to the operator alone", async () => {
  const url = `${system.urls.gatewayRpc}/portcullis.realtime.v1.DependencyService/Check`;
  expect((await call(url, {})).status).toBe(401);
  expect((await call(url, {}, { token: TOKENS.publisher })).status).toBe(403);
  expect(await check()).toMatchObject({ verdict: "pass" });
  await system.services.limiter.kill("SIGKILL");
  const checked = await check();
  expect(checked.verdict).toBe("fail");
  expect(checked.observed).toContain("rate-limit-consume: answered 503");
  expect(checked.observed).toMatch(/limiter: .*ECONNREFUSED/);
});

async function check() {
  return await checkDependencies({
    edgeUrl: system.urls.auth,
    topology: "direct",
    services: system.urls,
    operatorToken: new Secret(TOKENS.operator),
  });
}

async function ask(
  name: keyof ServiceUrls,
  body: object,
  headers: Readonly<Record<string, string>> = {},
) {
  return await call(`${system.urls[name]}/${RPC}`, body, { token: TOKENS.operator, headers });
}
