import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningProxy, startProxy } from "../../tools/edge/start-proxy.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { type System, startSystem } from "../fixtures/services.ts";
import { mint } from "../fixtures/sign-in.ts";
import { canRun } from "./can-run.ts";
import { edgeConfig } from "./edge-fixture.ts";

/** What this test makes of the policy mint.public.ip; some come back meanwhile. */
const LIMIT = 30;
const ATTEMPTS = LIMIT + 15;
const PERIOD_MS = 60_000;

let system: System;

let policies: Awaited<ReturnType<typeof writePolicies>>;

beforeAll(async () => {
  policies = await writePolicies((yaml) =>
    yaml.replace("limit: 300\n    period: 1m\n    burst: 800", `limit: ${LIMIT}\n    period: 1m`),
  );
  system = await startSystem({
    environment: { API_TRUST_PROXY_HOPS: "1", ...policies.environment },
  });
  // The first decisions of a fresh system can be late on a busy machine.
  await eventually(async () => {
    const warm = await mint(system.urls, "demo", undefined, { "x-forwarded-for": "192.0.2.1" });
    expect(warm.status).toBe(200);
  });
});
afterAll(async () => {
  await system?.stop();
  await policies?.remove();
});

test("a client that mints new IPv6 addresses inside one /64 is one client", async () => {
  const inNetwork = (network: string) => (index: number) => ({
    "x-forwarded-for": `2001:db8:${network}::${(index * 1_399).toString(16)}:1`,
  });
  const { allowed, allowedMax } = await mintMany(inNetwork("1:2"));
  expect(allowed).toBeGreaterThanOrEqual(LIMIT);
  expect(allowed).toBeLessThanOrEqual(allowedMax);
  const neighbour = inNetwork("1:3")(1);
  expect((await mint(system.urls, "demo", undefined, neighbour)).status).toBe(200);
});

test("a spoofer who strips the header cannot drain the bucket of the address it comes from", async () => {
  const { allowed, allowedMax } = await mintMany(() => ({}));
  expect(allowed).toBeLessThanOrEqual(allowedMax);
  expect((await mint(system.urls, "demo")).status).toBe(429);
  // The same address, vouched for by the edge, is another class of key.
  const honest = { "x-forwarded-for": "127.0.0.1" };
  expect((await mint(system.urls, "demo", undefined, honest)).status).toBe(200);
});

test("nor can a spoofer use the bucket of another client, by any header", async () => {
  const victim = "203.0.113.50";
  const spoof = {
    forwarded: `for=${victim}`,
    "x-real-ip": victim,
    "true-client-ip": victim,
    "cf-connecting-ip": victim,
    "x-forwarded-for": `${victim}, 203.0.113.66`,
  };
  const { allowed, allowedMax } = await mintMany(() => spoof);
  expect(allowed).toBeLessThanOrEqual(allowedMax);
  const honest = { "x-forwarded-for": victim };
  expect((await mint(system.urls, "demo", undefined, honest)).status).toBe(200);
});

test.runIf(canRun("nginx"))(
  "through the edge, a client of any claim is limited as itself, and another client is not",
  async () => {
    const edge = await startEdge();
    try {
      const urls = { ...system.urls, auth: edge.url("127.0.0.1") };
      const claims = (index: number) => ({ "x-forwarded-for": `198.51.100.${index}` });
      const startedAt = performance.now();
      let allowed = 0;
      for (let index = 0; index < ATTEMPTS; index += 1) {
        const { status } = await mint(urls, "demo", undefined, claims(index));
        allowed += status === 200 ? 1 : 0;
      }
      expect(allowed).toBeLessThanOrEqual(allowedIn(performance.now() - startedAt));
      const neighbour = { ...system.urls, auth: edge.url("[::1]") };
      expect((await mint(neighbour, "demo")).status).toBe(200);
    } finally {
      await edge.stop();
    }
  },
);

/** What the bucket holds, and what flows back while it is being emptied. */
function allowedIn(elapsedMs: number): number {
  return LIMIT + Math.ceil((elapsedMs / PERIOD_MS) * LIMIT);
}

async function mintMany(headersOf: (index: number) => Readonly<Record<string, string>>) {
  const startedAt = performance.now();
  const statuses: number[] = [];
  for (let index = 0; index < ATTEMPTS; index += 1) {
    const { status } = await mint(system.urls, "demo", undefined, headersOf(index));
    statuses.push(status);
  }
  expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
  const allowed = statuses.filter((status) => status === 200).length;
  return { allowed, allowedMax: allowedIn(performance.now() - startedAt) };
}

async function startEdge(): Promise<{ url: (host: string) => string; stop: RunningProxy["stop"] }> {
  const port = await findFreePort();
  const portOf = (url: string) => Number(new URL(url).port);
  const { auth, gateway } = system.urls;
  const config = edgeConfig(port, { auth: portOf(auth), gateway: portOf(gateway) });
  const { stop } = await startProxy({ proxy: "nginx", config, path: process.env["PATH"] });
  return { url: (host) => `http://${host}:${port}`, stop };
}
