import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { PostgresStore } from "../../services/limiter/store/postgres-store.ts";
import { SWEEP_STATEMENTS } from "../../services/limiter/store/postgres-sweep.ts";
import { SweepError } from "../../services/limiter/store/store.ts";
import { startSweeper } from "../../services/limiter/store/sweeper.ts";
import { eventually } from "../fixtures/eventually.ts";
import { runSql } from "../fixtures/postgres.ts";
import { createLimiterDatabase } from "./limiter-under-test.ts";
import { startStallingProxy } from "./stalling-proxy.ts";

/** Live leases; many more than what has ended. */
const LIVE = 30_000;
const ENDED = 3_000;
/** Rows that a sweep may look at in vain: others may hold some that ended. */
const IN_VAIN_MAX = 1_000;
const SWEPT_MS_MAX = 30_000;
const STORE = { synchronousCommit: "off" };
/** Long beside everything else that a sweep waits for. */
const STALL_HOLD_MS = 2_000;

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test("the sweeper deletes what has ended, however much is live, and elsewhere while a table is held", async () => {
  const url = await createFilledDatabase();
  const store = new PostgresStore({ url, synchronousCommit: "off", holdTimeoutMs: 1_000 });
  stops.push(async () => await store.close());
  await eventually(async () => await store.warmUp(), SWEPT_MS_MAX);
  const holder = await connectTo(url);
  await holder.query("begin; lock table limiter.leases in access exclusive mode");
  const failures: unknown[] = [];
  const sweeper = startSweeper(store, (error) => failures.push(error));
  stops.push(async () => await sweeper.stop());
  const others = ["buckets", "answers", "refunds"];
  await eventually(
    async () => expect(await countEnded(url, others)).toEqual([0, 0, 0]),
    SWEPT_MS_MAX,
  );
  await eventually(async () => expect(failures.length).toBeGreaterThan(0), SWEPT_MS_MAX);
  await holder.query("rollback");
  await eventually(
    async () => expect(await countEnded(url, ["leases"])).toEqual([0]),
    SWEPT_MS_MAX,
  );
  const [live] = await runSql(url, "select count(*)::int as leases from limiter.leases");
  expect(live).toEqual({ leases: LIVE });
});

test("each statement of the sweep looks at what has ended, and at nothing else", async () => {
  const client = await connectTo(await createFilledDatabase());
  await client.query("set enable_seqscan = off");
  for (const name of ["sweep_leases", "sweep_answers", "sweep_refunds"] as const) {
    await client.query("begin");
    const explain = `explain (analyze, format text) ${SWEEP_STATEMENTS[name]}`;
    const { rows } = await client.query<{ "QUERY PLAN": string }>(explain);
    await client.query("rollback");
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
    const inVain = [...plan.matchAll(/Rows Removed by Filter: (\d+)/g)].map(([, n]) => Number(n));
    expect(Math.max(0, ...inVain), plan).toBeLessThan(IN_VAIN_MAX);
    expect(plan, name).toMatch(/Index Cond: \(expires_ms </);
  }
});

test("a sweep that a stalled network cuts off asks for nothing more on that connection", async () => {
  const direct = await createLimiterDatabase();
  const url = new URL(direct);
  const proxy = await startStallingProxy(Number(url.port));
  stops.push(proxy.stop);
  url.port = String(proxy.port);
  const store = new PostgresStore({ url: url.href, ...STORE, holdTimeoutMs: STALL_HOLD_MS });
  stops.push(async () => await store.close());
  await eventually(async () => await store.warmUp(), SWEPT_MS_MAX);
  const warnings: string[] = [];
  const note = ({ message }: Error) => warnings.push(message);
  process.on("warning", note);
  stops.push(async () => void process.off("warning", note));
  const holder = await connectTo(direct);
  await holder.query("begin; lock table limiter.buckets in access exclusive mode");
  const startedAtMs = performance.now();
  const swept = store.sweep();
  swept.catch(() => undefined);
  await eventually(async () => expect(await countWaiting(direct)).toBe(1), STALL_HOLD_MS);
  proxy.stall();
  await expect(swept).rejects.toThrow(SweepError);
  // One statement waited; those after it did not wait behind it.
  expect(performance.now() - startedAtMs).toBeLessThan(2 * STALL_HOLD_MS);
  await holder.query("rollback");
  proxy.resume();
  await eventually(async () => expect(await store.sweep()).toBe(0), SWEPT_MS_MAX);
  expect(warnings).toEqual([]);
});

async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  stops.push(async () => await client.end());
  return client;
}

async function countWaiting(url: string): Promise<number> {
  const sql = "select count(*)::int as waiting from pg_locks where not granted";
  return (await runSql<{ waiting: number }>(url, sql))[0]?.waiting ?? 0;
}

async function countEnded(url: string, tables: readonly string[]): Promise<number[]> {
  const counts = tables.map(async (table) => {
    const sql = `select count(*)::int as ended from limiter.${table} where expires_ms < 1000`;
    return (await runSql<{ ended: number }>(url, sql))[0]?.ended ?? -1;
  });
  return await Promise.all(counts);
}

/** Leases that hold for another year, and of each kind of row some that ended in 1970. */
async function createFilledDatabase(): Promise<string> {
  const url = await createLimiterDatabase();
  const ended = `generate_series(1, ${ENDED})`;
  await runSql(
    url,
    `insert into limiter.leases (id, bucket_id, expires_ms, ttl_ms)
       select gen_random_uuid(), gen_random_uuid(),
         (date_part('epoch', clock_timestamp()) * 1000)::bigint + 31536000000, 1000
       from generate_series(1, ${LIVE});
     insert into limiter.leases (id, bucket_id, expires_ms, ttl_ms)
       select gen_random_uuid(), gen_random_uuid(), 1, 1000 from ${ended};
     insert into limiter.buckets (id, expires_ms) select gen_random_uuid(), 1 from ${ended};
     insert into limiter.answers (id, body, answer, expires_ms)
       select gen_random_uuid(), gen_random_uuid(), '{}', 1 from ${ended};
     insert into limiter.refunds (id, expires_ms) select gen_random_uuid(), 1 from ${ended};
     analyze limiter.leases, limiter.answers, limiter.refunds`,
  );
  return url;
}
