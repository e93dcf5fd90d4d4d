import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";

const LIMIT = 1_000;
/** One token of this policy refills in 86 s, more than the test takes. */
const POLICIES = { daily: { key: "text", algorithm: "token_bucket", limit: LIMIT, period: "1d" } };
const REQUESTS = 25_000;
const BATCH = 500;
const KEYS = 10;
/** Calls under way at a time, over both replicas. */
const CALLS = 8;

type Result = { decision?: { outcome: string }; error?: { code: string; message: string } };

let databaseUrl: string;
let replicas: readonly LimiterProcess[];

beforeAll(async () => {
  databaseUrl = await createTestDatabase("exactness");
  // What is admitted is counted here, so a busy machine must not make a decision late.
  const environment = { LIMITER_DECISION_TIMEOUT_MS: "5000" };
  const start = async () => await startLimiter({ databaseUrl, policies: POLICIES, environment });
  replicas = await Promise.all([start(), start()]);
});

afterAll(async () => {
  await Promise.all(replicas.map(async (replica) => await replica.stop()));
});

test("two replicas admit exactly the limit of each hot key", async () => {
  const requests = Array.from({ length: REQUESTS }, (_, i) => [`single-${i % KEYS}`]);
  const admitted = await consumeAll(requests);
  const perKey = countKeys(admitted);
  expect([...perKey.values()]).toEqual(new Array(KEYS).fill(LIMIT));
  expect(await remaining(perKey.keys())).toEqual(new Array(KEYS).fill("0"));
});

test("two replicas charge groups on hot keys all or nothing, to the last token", async () => {
  const requests = Array.from({ length: REQUESTS }, (_, i) => {
    const first = i % KEYS;
    const second = (first + 1 + (i % 3)) % KEYS;
    const third = (first + 5 + (i % 2)) % KEYS;
    return [...new Set([first, second, third])].map((key) => `group-${key}`);
  });
  const perKey = countKeys(await consumeAll(requests));
  const left = await remaining(perKey.keys());
  const charged = left.map((text) => LIMIT - Number(text));
  expect(charged).toEqual([...perKey.values()]);
  expect(Math.max(...perKey.values())).toBe(LIMIT);
  // A group of up to three keys is rejected only when one of them is used up.
  expect(charged.filter((count) => count === LIMIT).length).toBeGreaterThanOrEqual(KEYS / 3);
});

test("the stored state is what was admitted, and no flush met a deadlock", async () => {
  const rows = await runSql<{ used: string }>(
    databaseUrl,
    "select ceil(b.amount::numeric / b.unit)::text as used from limiter.buckets b",
  );
  expect(rows.filter(({ used }) => Number(used) > LIMIT)).toEqual([]);
  const [database] = await runSql<{ deadlocks: string }>(
    databaseUrl,
    `select d.deadlocks::text from pg_stat_database d where d.datname = current_database()`,
  );
  expect(database?.deadlocks).toBe("0");
});

/** Sends every request in batches to both replicas, and answers those that were admitted. */
async function consumeAll(requests: ReadonlyArray<readonly string[]>): Promise<string[][]> {
  const admitted: string[][] = [];
  const batches = Array.from({ length: requests.length / BATCH }, (_, i) =>
    requests.slice(i * BATCH, (i + 1) * BATCH),
  );
  const work = batches.entries();
  await Promise.all(
    Array.from({ length: CALLS }, async () => {
      for (const [index, batch] of work) {
        const results = await consumeBatch(replicas[index % replicas.length], batch);
        expect(results.flatMap((result) => result.error ?? [])).toEqual([]);
        admitted.push(
          ...batch
            .filter((_, i) => results[i]?.decision?.outcome === "OUTCOME_ALLOWED")
            .map((keys) => [...keys]),
        );
      }
    }),
  );
  return admitted;
}

async function consumeBatch(
  replica: LimiterProcess | undefined,
  batch: ReadonlyArray<readonly string[]>,
): Promise<readonly Result[]> {
  const answer = await replica?.rpc("ConsumeBatch", {
    requests: batch.map((keys) => ({ buckets: keys.map((key) => ({ policy: "daily", key })) })),
  });
  expect(answer?.status).toBe(200);
  return answer?.body["results"] as readonly Result[];
}

function countKeys(requests: ReadonlyArray<readonly string[]>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of requests.flat()) counts.set(key, (counts.get(key) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function remaining(keys: Iterable<string>): Promise<string[]> {
  const buckets = [...keys].map((key) => ({ policy: "daily", key }));
  const answer = await replicas[0]?.rpc("Peek", { buckets });
  const decision = answer?.body["decision"] as { buckets: Array<{ remaining: string }> };
  return decision.buckets.map((bucket) => bucket.remaining);
}
