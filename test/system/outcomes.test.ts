import { expect, onTestFinished, test } from "vitest";
import { type Refusal, refusedUpgrade, tryConnect } from "../fixtures/realtime-connection.ts";
import { scrape } from "../fixtures/scrape.ts";
import { PATIENCE, type System, startSystem } from "../fixtures/services.ts";
import { login } from "../fixtures/sign-in.ts";

const OUTCOMES = "portcullis_limiter_outcomes_total";
/** A login counts under the first of its policies, unless another one rejects it. */
const LOGIN = { surface: "api", policy: "login.ip" };
/** The limit of the policy login.account.network. */
const LOGINS_MAX = 5;
/** More than the policy realtime.connect.ip allows, with what refills meanwhile. */
const UPGRADES_TRIED = 70;

test("over a login limit is 429 and `reject`; no decision is 503, `backend-error` and `fail-closed`", async () => {
  const { urls, metricsUrls, services } = await setup();
  for (let guess = 0; guess < LOGINS_MAX; guess += 1) {
    expect(await login(urls, "wrong")).toMatchObject({ status: 401 });
  }
  const limited = await login(urls, "wrong");
  expect(limited).toMatchObject({ status: 429, body: { code: "resource_exhausted" } });
  expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
  const before = await scrape(metricsUrls.auth);
  expect(before.sum(OUTCOMES, { ...LOGIN, outcome: "allow" })).toBe(LOGINS_MAX);
  expect(before.sum(OUTCOMES, { outcome: "reject" })).toBe(1);
  const rejecting = { surface: "api", policy: "login.account.network", outcome: "reject" };
  expect(before.sum(OUTCOMES, rejecting)).toBe(1);
  expect(before.sum(OUTCOMES, { ...LOGIN, outcome: "backend-error" })).toBe(0);

  await services.limiter.kill("SIGKILL");
  const unknown = await login(urls, "wrong");
  expect(unknown).toMatchObject({ status: 503, body: { code: "unavailable" } });
  expect(Number(unknown.headers.get("retry-after"))).toBeGreaterThan(0);
  const after = await scrape(metricsUrls.auth);
  expect(after.sum(OUTCOMES, { ...LOGIN, outcome: "backend-error" })).toBe(1);
  expect(after.sum(OUTCOMES, { ...LOGIN, outcome: "fail-closed" })).toBe(1);
  expect(after.sum(OUTCOMES, { outcome: "fail-open" })).toBe(0);
  expect(after.sum(OUTCOMES, { outcome: "reject" })).toBe(1);
});

test("over a connect limit is 429 and `reject`; no decision is 503, `backend-error` and `fail-closed`", async () => {
  const { urls, metricsUrls, services } = await setup();
  const refusals: Refusal[] = [];
  for (let attempt = 0; attempt < UPGRADES_TRIED; attempt += 1) {
    refusals.push(...(await connectAndClose(urls.gateway)));
  }
  const refused = refusals.length;
  for (const refusal of refusals) {
    expect(refusal.status).toBe(429);
    expect(refusal.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
  }
  expect(refused).toBeGreaterThan(0);
  const policy = "realtime.connect.ip";
  const before = await scrape(metricsUrls.gateway);
  expect(before.sum(OUTCOMES, { surface: "realtime", policy, outcome: "reject" })).toBe(refused);
  expect(before.sum(OUTCOMES, { outcome: "backend-error" })).toBe(0);

  await services.limiter.kill("SIGKILL");
  const unknown = await refusedUpgrade(urls.gateway);
  expect(unknown).toMatchObject({ status: 503 });
  expect(unknown.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
  const after = await scrape(metricsUrls.gateway);
  expect(after.sum(OUTCOMES, { policy, outcome: "backend-error" })).toBe(1);
  expect(after.sum(OUTCOMES, { policy, outcome: "fail-closed" })).toBe(1);
  expect(after.sum(OUTCOMES, { policy, outcome: "reject" })).toBe(refused);
});

/** Returns the refusal; nothing if the connection was allowed, which is closed by then. */
async function connectAndClose(gatewayUrl: string): Promise<Refusal[]> {
  const result = await tryConnect(gatewayUrl);
  if ("status" in result) return [result];
  result.close();
  await result.closed;
  return [];
}

async function setup(): Promise<System> {
  const system = await startSystem({ environment: PATIENCE });
  onTestFinished(system.stop);
  return system;
}
