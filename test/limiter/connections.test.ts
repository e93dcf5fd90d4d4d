import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { startPostgres } from "../fixtures/postgres.ts";
import { watchBackends } from "./backend-watch.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";
import { startStallingProxy } from "./stalling-proxy.ts";

const POLICIES = {
  plenty: { key: "text", algorithm: "token_bucket", limit: 1_000_000, period: "1d" },
  places: { key: "text", algorithm: "concurrency", limit: 1_000 },
};
/** Nine for decisions, and one to look for backends that are silent. */
const BACKENDS_MAX = 10;
/** Long enough for a dozen round trips of each lane to be given up. */
const HANG_MS = 3_500;
/** Until everything serves again, on a busy machine. */
const RECOVERY_MS_MAX = 2_500;
/** No decision must be known within the time a caller waits. */
const ANSWER_MS_MAX = 600;

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test("a standby that never answers lets no backend pile up, and all serve after it", async () => {
  const { limiter, watch } = await setup();
  await watch.query("alter system set synchronous_standby_names = 'ghost'");
  await watch.query("select pg_reload_conf()");
  await eventually(async () =>
    expect((await limiter.rpc("Consume", consume("a"))).status).toBe(503),
  );
  await hang(limiter);
  await watch.query("alter system reset synchronous_standby_names");
  await watch.query("select pg_reload_conf()");
  await recovers(limiter);
  expect(watch.most).toBeLessThanOrEqual(BACKENDS_MAX);
});

test("backends that stand still are not replaced, and serve again when they go on", async () => {
  const { limiter, watch } = await setup();
  const pids = await watch.pids();
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  stops.push(async () => {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  });
  await hang(limiter);
  // Stopped ones are still there, and nothing was opened beside them but what looked for them.
  const during = await watch.pids();
  expect(pids.every((pid) => during.includes(pid))).toBe(true);
  for (const pid of pids) process.kill(pid, "SIGCONT");
  await recovers(limiter);
  stops.pop();
  expect(watch.most).toBeLessThanOrEqual(BACKENDS_MAX);
});

test("a network that stands still lets no backend pile up, and all serve after it", async () => {
  const { limiter, watch, proxy } = await setup();
  proxy.stall();
  await hang(limiter);
  proxy.resume();
  await recovers(limiter);
  expect(watch.most).toBeLessThanOrEqual(BACKENDS_MAX);
});

test("a backend that was stopped holds up its own lane only, which is refused quickly", async () => {
  const { limiter, watch } = await setup();
  const keys = Array.from({ length: 16 }, (_, i) => `key-${i}`);
  for (const key of keys) await limiter.rpc("Consume", consume(key));
  // The one that decided last is the lane of the last key.
  const [last] = await watch.query<{ pid: number }>(
    `select a.pid from pg_stat_activity a
     where a.application_name = 'portcullis-limiter' and a.query in ('commit', 'rollback')
     order by a.state_change desc limit 1`,
  );
  const pid = last?.pid ?? 0;
  expect(pid).toBeGreaterThan(0);
  process.kill(pid, "SIGSTOP");
  stops.push(async () => {
    process.kill(pid, "SIGCONT");
  });
  await limiter.rpc("Consume", consume(keys.at(-1) ?? ""));
  const answers = await Promise.all(
    keys.map(async (key) => await limiter.rpc("Consume", consume(key))),
  );
  const refused = answers.filter(({ status }) => status === 503);
  expect(refused.length).toBeGreaterThanOrEqual(1);
  expect(refused.length).toBeLessThan(keys.length);
  expect(answers.at(-1)).toMatchObject({ status: 503, body: { code: "unavailable" } });
  // The wait for a round trip is over; nobody else has to wait for it.
  const tookMs: number[] = [];
  for (let i = 0; i < 5; i++) {
    const answer = await limiter.rpc("Consume", consume(keys.at(-1) ?? ""));
    expect(answer.status).toBe(503);
    tookMs.push(answer.tookMs);
  }
  expect(Math.min(...tookMs)).toBeLessThan(100);
});

/** Asks for everything all the time while nothing can be decided, and expects that to be told. */
async function hang(limiter: LimiterProcess): Promise<void> {
  let isRunning = true;
  const clients = Array.from({ length: 6 }, async (_, client) => {
    for (let i = 0; isRunning; i++) {
      const answer = await limiter.rpc("Consume", consume(`client-${client}-${i}`));
      expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
      expect(answer.tookMs).toBeLessThan(ANSWER_MS_MAX);
      await limiter.rpc("Acquire", { ...PLACE, leaseId: `l-${client}-${i}` });
      // Refusals are quick while a lane is held.
      await sleep(20);
    }
  });
  await sleep(HANG_MS);
  isRunning = false;
  await Promise.all(clients);
}

const PLACE = { policy: "places", key: "a", leaseId: "l", ttl: "30s" };

async function recovers(limiter: LimiterProcess): Promise<void> {
  const calls: Array<[method: string, body: object]> = [
    ...Array.from({ length: 24 }, (_, i): [string, object] => ["Consume", consume(`key-${i}`)]),
    ["Consume", { buckets: [...consume("a").buckets, ...consume("b").buckets] }],
    ["Peek", consume("a")],
    ["Acquire", PLACE],
    ["Renew", { leaseIds: ["l"], ttl: "30s" }],
  ];
  await eventually(async () => {
    const answers = await Promise.all(calls.map(async (call) => await limiter.rpc(...call)));
    expect(answers.map(({ status }) => status)).toEqual(calls.map(() => 200));
  }, RECOVERY_MS_MAX);
}

function consume(key: string) {
  return { buckets: [{ policy: "plenty", key }] };
}

async function setup() {
  const postgres = await startPostgres();
  stops.push(postgres.stop);
  const server = new URL(postgres.url);
  const proxy = await startStallingProxy(Number(server.port));
  stops.push(proxy.stop);
  const url = new URL(postgres.url);
  url.port = String(proxy.port);
  const limiter = await startLimiter({ databaseUrl: url.href, policies: POLICIES });
  stops.push(limiter.stop);
  const watch = await watchBackends(postgres.url);
  stops.push(watch.stop);
  return { postgres, proxy, limiter, watch };
}
