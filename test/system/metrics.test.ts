import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createVisitor, ENTRANCES } from "../fixtures/entrances.ts";
import { publish } from "../fixtures/publish.ts";
import { scrape } from "../fixtures/scrape.ts";
import type { ServiceName } from "../fixtures/service-process.ts";
import { PATIENCE, type System, startSystem } from "../fixtures/services.ts";
import { login } from "../fixtures/sign-in.ts";

const SERVICES: readonly ServiceName[] = ["auth", "limiter", "gateway"];
const VISITOR = "203.0.113.77";
const OUTCOMES = ["allow", "reject", "backend-error", "fail-open", "fail-closed"];
/** The policies that each surface consumes. */
const POLICIES = {
  api: ["login.ip", "login.account.network", "login.account", "mint.user", "mint.public.ip"],
  realtime: ["realtime.connect.ip", "realtime.subscribe.public.ip"],
};

let system: System;

beforeAll(async () => {
  system = await startSystem({
    environment: { ...PATIENCE, API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" },
  });
});
afterAll(async () => await system.stop());

test("every outcome of every policy is there as zero before the first request", async () => {
  const api = await scrape(system.metricsUrls.auth);
  const realtime = await scrape(system.metricsUrls.gateway);
  const name = "portcullis_limiter_outcomes_total";
  for (const outcome of OUTCOMES) {
    for (const policy of POLICIES.api) {
      expect(api.sum(name, { surface: "api", policy, outcome }), `${policy} ${outcome}`).toBe(0);
    }
    for (const policy of POLICIES.realtime) {
      const labels = { surface: "realtime", policy, outcome };
      expect(realtime.sum(name, labels), `${policy} ${outcome}`).toBe(0);
    }
  }
});

test("after traffic the scrapes tell what happened, and never to whom", async () => {
  const visitor = await createVisitor(system, VISITOR);
  for (const name of ENTRANCES) await visitor.entrances[name]();
  await login(system.urls, "wrong", { "x-forwarded-for": VISITOR });
  await publish(system.urls, "demo", { price: 1 });
  visitor.leave();

  const auth = await scrape(system.metricsUrls.auth);
  const limiter = await scrape(system.metricsUrls.limiter);
  const gateway = await scrape(system.metricsUrls.gateway);
  const outcomes = "portcullis_limiter_outcomes_total";
  expect(auth.sum(outcomes, { surface: "api", outcome: "allow" })).toBeGreaterThan(0);
  expect(gateway.sum(outcomes, { surface: "realtime", outcome: "allow" })).toBeGreaterThan(0);
  expect(limiter.sum("portcullis_limiter_decisions_total")).toBeGreaterThan(0);
  expect(auth.sum("portcullis_auth_logins_total")).toBeGreaterThan(1);
  expect(gateway.sum("portcullis_realtime_upgrades_total")).toBeGreaterThan(1);
  for (const { sum, text } of [auth, limiter, gateway]) {
    expect(sum("rpc_server_call_duration_count")).toBeGreaterThan(0);
    expect(text).not.toContain(VISITOR);
    expect(text).not.toContain("demo@");
    expect(text).not.toContain("demo-private");
  }
  for (const { sum } of [auth, gateway]) {
    const labels = { source: "forwarded" };
    expect(sum("portcullis_client_ip_derivations_total", labels)).toBeGreaterThan(0);
  }
});

test("an address that looks like a proxy's, and a peer that is believed unnamed, are counted", async () => {
  const metricsUrl = system.metricsUrls.auth;
  const labels = { service: "auth", network: "private" };
  const proxyLike = "portcullis_client_ip_proxy_like_total";
  expect((await scrape(metricsUrl)).sum(proxyLike, labels)).toBe(0);
  await login(system.urls, "wrong", { "x-forwarded-for": "10.9.8.7" });
  const after = await scrape(metricsUrl);
  expect(after.sum(proxyLike, labels)).toBe(1);
  // All requests of this file come from one peer, in the first minutes of the process.
  const newPeers = "portcullis_client_ip_new_peers_total";
  expect(after.sum(newPeers, { phase: "start" })).toBe(1);
  expect(after.sum(newPeers, { phase: "later" })).toBe(0);
});

const isPromtoolThere = spawnSync("promtool", ["--version"]).status === 0;
/** CI fails without promtool; elsewhere these tests are skipped. */
const isSkipped = !isPromtoolThere && process.env["CI"] !== "true";

test.skipIf(isSkipped).each(SERVICES)(
  "promtool has no complaint about the scrape of %s (needs Debian's package prometheus)",
  async (service) => {
    const { text } = await scrape(system.metricsUrls[service]);
    const check = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    expect(check).toMatchObject({ status: 0, stdout: "", stderr: "" });
  },
);
