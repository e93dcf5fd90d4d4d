import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { type OwnPostgres, startPostgres } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";

const POLICIES = {
  plenty: { key: "text", algorithm: "token_bucket", limit: 1_000_000, period: "1d" },
  places: { key: "text", algorithm: "concurrency", limit: 1_000 },
};
const CONSUME = { buckets: [{ policy: "plenty", key: "a" }] };
/** No decision must be known within the time a caller waits. */
const ANSWER_MS_MAX = 450;
/** After the database is back. */
const RECOVERY_MS_MAX = 3_000;

const CALLS: ReadonlyArray<[method: string, body: object]> = [
  ["Consume", CONSUME],
  ["Peek", CONSUME],
  ["Reset", { policy: "plenty", key: "b" }],
  ["Acquire", { policy: "places", key: "a", leaseId: "l", ttl: "30s" }],
  ["Renew", { leaseIds: ["l"], ttl: "30s" }],
  ["Release", { leaseIds: ["l"] }],
];

let postgres: OwnPostgres;
let limiter: LimiterProcess;

beforeAll(async () => {
  postgres = await startPostgres();
  limiter = await startLimiter({ databaseUrl: postgres.url, policies: POLICIES });
});

afterAll(async () => {
  await limiter.stop();
  await postgres.stop();
});

test("every call is unavailable in time while the database is stopped, and works after it", async () => {
  await decidesAgain();
  await postgres.stopAll();
  for (const [method, body] of CALLS) {
    const answer = await limiter.rpc(method, body);
    expect(answer, method).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(answer.tookMs, method).toBeLessThan(ANSWER_MS_MAX);
  }
  await postgres.contAll();
  await decidesAgain();
});

test("every call is unavailable while the database is dead, and works after its restart", async () => {
  await postgres.stopAll();
  await limiter.rpc("Consume", CONSUME);
  await postgres.kill9();
  for (const [method, body] of CALLS) {
    const answer = await limiter.rpc(method, body);
    expect(answer, method).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(answer.tookMs, method).toBeLessThan(ANSWER_MS_MAX);
  }
  await postgres.restart();
  await decidesAgain();
});

test("a batch answers each of its requests with the outage", async () => {
  await postgres.stopAll();
  const answer = await limiter.rpc("ConsumeBatch", { requests: [CONSUME, CONSUME] });
  await postgres.contAll();
  expect(answer).toMatchObject({
    status: 200,
    body: { results: [{ error: { code: "unavailable" } }, { error: { code: "unavailable" } }] },
  });
  await decidesAgain();
});

test("the limiter stays alive and ready through all of it", async () => {
  const ready = await fetch(`${limiter.url}/readyz`);
  expect(await ready.json()).toMatchObject({ status: "ready", dependencies: { postgres: "ok" } });
});

async function decidesAgain(): Promise<void> {
  await eventually(async () => {
    for (const [method, body] of CALLS) {
      expect((await limiter.rpc(method, body)).status, method).toBe(200);
    }
  }, RECOVERY_MS_MAX);
}
