import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";

const POLICIES = {
  plenty: { key: "text", algorithm: "token_bucket", limit: 1_000_000, period: "1d" },
};
/** How long a replica that was stopped may keep the others from deciding. */
const HELD_UP_MS_MAX = 300;
/** A busy machine answers later than the limiter decides. */
const SLACK_MS = 150;

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test("a request that breaks a flush is refused alone", async () => {
  const { limiter, databaseUrl } = await setup({ LIMITER_DECISION_TIMEOUT_MS: "5000" });
  // A charge of seven from a full bucket is what this database cannot store.
  await runSql(
    databaseUrl,
    `create function limiter.refuse_seven() returns trigger language plpgsql as $$
     begin
       if new.amount = 7 * new.unit then raise exception using errcode = '22003'; end if;
       return new;
     end $$;
     create trigger refuse_seven before update on limiter.buckets
       for each row execute function limiter.refuse_seven()`,
  );
  const requests = Array.from({ length: 200 }, (_, i) => consume(`key-${i}`, i === 77 ? 7 : 1));
  const { body } = await limiter.rpc("ConsumeBatch", { requests });
  const results = body["results"] as Array<{ decision?: { outcome: string } }>;
  const refused = results.flatMap((result, i) => (result.decision ? [] : [i]));
  expect(refused).toEqual([77]);
  expect(results.filter((r) => r.decision?.outcome === "OUTCOME_ALLOWED")).toHaveLength(199);
});

test("a session that holds a row keeps others from deciding for a bounded time only", async () => {
  const { limiter, databaseUrl } = await setup();
  await limiter.rpc("Consume", consume("held"));
  const holder = await holdRows(databaseUrl);
  const answer = await limiter.rpc("Consume", consume("held"));
  expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
  expect(answer.tookMs).toBeLessThan(HELD_UP_MS_MAX + SLACK_MS);
  await holder.query("rollback");
  expect((await limiter.rpc("Consume", consume("held"))).status).toBe(200);
});

test("a replica stopped in the middle of its flushes holds the others up for at most 300 ms", async () => {
  const { limiter, start } = await setup();
  const victim = await start();
  const load = keepBusy(victim);
  const gapsMs: number[] = [];
  for (let round = 0; round < 5; round++) {
    await sleep(100 + round * 7);
    process.kill(victim.process.pid, "SIGSTOP");
    const stoppedAtMs = performance.now();
    let answer = await limiter.rpc("Consume", consume("hot"));
    while (answer.status !== 200) answer = await limiter.rpc("Consume", consume("hot"));
    gapsMs.push(performance.now() - stoppedAtMs);
    process.kill(victim.process.pid, "SIGCONT");
  }
  await load.stop();
  expect(Math.max(...gapsMs)).toBeLessThan(HELD_UP_MS_MAX + SLACK_MS);
});

test("more than can wait is refused at once, as overloaded, and counted", async () => {
  const { limiter, databaseUrl } = await setup({ LIMITER_DECISION_TIMEOUT_MS: "10000" });
  await limiter.rpc("Consume", consume("held"));
  const holder = await holdRows(databaseUrl);
  const requests = Array.from({ length: 1_000 }, () => consume("held"));
  const batches = Promise.all(
    Array.from({ length: 25 }, async () => await limiter.rpc("ConsumeBatch", { requests })),
  );
  await eventually(async () => expect(await shedBy(limiter)).toBe(5_000));
  await holder.query("rollback");
  const results = (await batches).flatMap(({ body }) => body["results"] as Result[]);
  const overloaded = {
    code: "unavailable",
    message: "no decision: overloaded",
    reason: "overloaded",
  };
  expect(results.filter(({ error }) => error?.message === overloaded.message)).toHaveLength(5_000);
  expect(results.filter(({ decision }) => decision !== undefined)).toHaveLength(20_000);
  expect(results.find(({ error }) => error)?.error).toEqual(overloaded);
});

type Result = { decision?: object; error?: { code: string; message: string } };

async function shedBy(limiter: LimiterProcess): Promise<number> {
  const scrape = await (await fetch(limiter.metricsUrl)).text();
  return Number(/^portcullis_limiter_shed_total (\d+)$/m.exec(scrape)?.[1]);
}

/** A session that keeps every row locked until it rolls back. */
async function holdRows(databaseUrl: string): Promise<pg.Client> {
  const holder = new pg.Client({ connectionString: databaseUrl });
  holder.on("error", () => undefined);
  await holder.connect();
  stops.push(async () => await holder.end());
  await holder.query("begin");
  await holder.query("select 1 from limiter.buckets for update");
  return holder;
}

function consume(key: string, cost = 1) {
  return { buckets: [{ policy: "plenty", key, cost }] };
}

/** Keeps a limiter deciding on the hot key until it is told to stop. */
function keepBusy(limiter: LimiterProcess): { stop(): Promise<void> } {
  let isRunning = true;
  const requests = Array.from({ length: 50 }, () => consume("hot"));
  const workers = Array.from({ length: 4 }, async () => {
    while (isRunning) await limiter.rpc("ConsumeBatch", { requests });
  });
  return {
    async stop() {
      isRunning = false;
      await Promise.all(workers);
    },
  };
}

async function setup(environment: Readonly<Record<string, string>> = {}) {
  const databaseUrl = await createTestDatabase("faults");
  const start = async () => {
    const limiter = await startLimiter({ databaseUrl, policies: POLICIES, environment });
    stops.push(limiter.stop);
    return limiter;
  };
  return { databaseUrl, start, limiter: await start() };
}
