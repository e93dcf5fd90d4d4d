import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createTestDatabase } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";

const PLACES = 100;
const TTL_MS = 2_000;
/** Reading the clock and asking takes a moment. */
const SLACK_MS = 1_000;
const POLICIES = { places: { key: "text", algorithm: "concurrency", limit: PLACES } };

let replicas: readonly LimiterProcess[];

beforeAll(async () => {
  const databaseUrl = await createTestDatabase("leases");
  const environment = { LIMITER_DECISION_TIMEOUT_MS: "5000" };
  const start = async () => await startLimiter({ databaseUrl, policies: POLICIES, environment });
  replicas = await Promise.all([start(), start(), start()]);
});

afterAll(async () => {
  await Promise.all(replicas.map(async (replica) => await replica.stop()));
});

test("a holder that dies frees all of its hundred leases one TTL later, and none before", async () => {
  const taken = await acquireMany("crashed", 150, TTL_MS);
  const takenAtMs = performance.now();
  expect(taken).toBe(PLACES);
  expect(await countFree("crashed")).toBe(0);
  await eventually(async () => {
    expect(await countFree("crashed")).toBe(PLACES);
  }, TTL_MS + SLACK_MS);
  expect(performance.now() - takenAtMs).toBeGreaterThan(TTL_MS - SLACK_MS);
});

test("leases that are renewed outlive their TTL; released ones are free at once", async () => {
  await acquireMany("kept", PLACES, TTL_MS);
  const leaseIds = Array.from({ length: PLACES }, (_, i) => `kept-${i}`);
  for (const replica of replicas) {
    const renewed = await replica.rpc("Renew", { leaseIds, ttl: "30s" });
    expect(renewed.body).toEqual({ lost: [] });
  }
  expect(await acquireMany("kept", 1, TTL_MS, "late")).toBe(0);
  await replicas[1]?.rpc("Release", { leaseIds });
  expect(await countFree("kept")).toBe(PLACES);
});

test("a lease of one caller is not another's to renew or release", async () => {
  const request = { policy: "places", key: "mine", leaseId: "mine", ttl: "30s" };
  await replicas[0]?.rpc("Acquire", request, "development-auth-token");
  const renewed = await replicas[0]?.rpc("Renew", { leaseIds: ["mine"], ttl: "30s" });
  expect(renewed?.body).toEqual({ lost: ["mine"] });
  await replicas[0]?.rpc("Release", { leaseIds: ["mine"] });
  expect(await countFree("mine")).toBe(PLACES - 1);
});

/** Asks every replica in turn, all at once, and answers how many leases were had. */
async function acquireMany(key: string, count: number, ttlMs: number, name = key): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const request = { policy: "places", key, leaseId: `${name}-${i}`, ttl: `${ttlMs / 1_000}s` };
      return await replicas[i % replicas.length]?.rpc("Acquire", request);
    }),
  );
  const outcomes = answers.map((answer) => answer?.body["decision"] as { outcome: string });
  return outcomes.filter(({ outcome }) => outcome === "OUTCOME_ALLOWED").length;
}

async function countFree(key: string): Promise<number> {
  const answer = await replicas[0]?.rpc("Peek", { buckets: [{ policy: "places", key }] });
  const decision = answer?.body["decision"] as { buckets: Array<{ remaining: string }> };
  return Number(decision.buckets[0]?.remaining);
}
