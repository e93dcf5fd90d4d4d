import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import {
  createPostgresPool,
  isDatabaseOutage,
  transaction,
} from "../../services/runtime/postgres.ts";
import { eventually } from "../fixtures/eventually.ts";
import {
  createTestDatabase,
  type OwnPostgres,
  runSql,
  startPostgres,
} from "../fixtures/postgres.ts";

const CONNECTIONS_MAX = 3;
const STATEMENT_TIMEOUT_MS = 400;
const ROUNDS = 6;

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test("a pool on a standby that never answers holds no more than its connections", async () => {
  const postgres = await startPostgres();
  stops.push(postgres.stop);
  const pool = createPool(postgres.url);
  await pool.query("create table things (id int)");
  await setGhost(postgres, "ghost");
  await eventually(async () => {
    await expect(pool.query("insert into things values (1)")).rejects.toThrow("timeout");
  });
  const counts: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const errors = await Promise.allSettled([
      ...Array.from({ length: 4 }, async (_, i) =>
        pool.query("insert into things values ($1)", [i]),
      ),
      transaction(pool, async (client) => await client.query("insert into things values (0)")),
    ]);
    for (const result of errors) {
      expect(result.status).toBe("rejected");
      expect(isDatabaseOutage(result.status === "rejected" && result.reason)).toBe(true);
    }
    counts.push(await countBackends(postgres));
  }
  expect(Math.max(...counts)).toBeLessThanOrEqual(CONNECTIONS_MAX);
  await setGhost(postgres, "");
  await eventually(async () => {
    await Promise.all(
      Array.from({ length: 6 }, async () => await pool.query("insert into things values (2)")),
    );
  }, 3_000);
});

test("a pool whose backends stand still opens no others, and serves when they go on", async () => {
  const postgres = await startPostgres();
  stops.push(postgres.stop);
  const pool = createPool(postgres.url);
  await Promise.all(Array.from({ length: CONNECTIONS_MAX }, async () => pool.query("select 1")));
  const rows = await runSql<{ pid: number }>(postgres.url, BACKENDS);
  for (const { pid } of rows) process.kill(pid, "SIGSTOP");
  for (let round = 0; round < ROUNDS; round++) {
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, async () => await pool.query("select 1")),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toEqual([]);
  }
  expect(await countBackends(postgres)).toBeLessThanOrEqual(CONNECTIONS_MAX);
  for (const { pid } of rows) process.kill(pid, "SIGCONT");
  await eventually(async () => {
    await Promise.all(Array.from({ length: 6 }, async () => await pool.query("select 1")));
  }, 3_000);
  expect(await countBackends(postgres)).toBeLessThanOrEqual(CONNECTIONS_MAX);
});

test("one that was given up leaves the other connections to whoever comes", async () => {
  const url = await createTestDatabase("pool");
  await runSql(url, "create table things (id int primary key)");
  const pool = createPool(url);
  const holder = createPool(url);
  const client = await holder.connect();
  await client.query("begin");
  await client.query("insert into things values (1)");
  const blocked = Promise.allSettled(
    [1, 1].map(async (id) => await pool.query("insert into things values ($1)", [id])),
  );
  for (let i = 0; i < 20; i++) await pool.query("select 1");
  expect((await blocked).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await client.query("rollback");
  client.release();
});

test("the timeout of statements is in force whatever the URL, the role and the database say", async () => {
  const databaseUrl = await createTestDatabase("pool");
  const database = new URL(databaseUrl).pathname.slice(1);
  await runSql(databaseUrl, `alter database "${database}" set statement_timeout = '1h'`);
  const url = new URL(databaseUrl);
  url.searchParams.set("options", "-c search_path=public -c statement_timeout=0");
  url.searchParams.set("query_timeout", "1");
  const pool = createPool(url.href);
  const { rows } = await pool.query("show statement_timeout");
  expect(rows).toEqual([{ statement_timeout: `${STATEMENT_TIMEOUT_MS}ms` }]);
  await expect(pool.query("select pg_sleep(5)")).rejects.toThrow("statement timeout");
});

const BACKENDS = `select a.pid from pg_stat_activity a where a.application_name = 'test-pool'`;

async function countBackends({ url }: OwnPostgres): Promise<number> {
  return (await runSql(url, BACKENDS)).length;
}

async function setGhost({ url }: OwnPostgres, name: string): Promise<void> {
  await runSql(url, `alter system set synchronous_standby_names = '${name}'`);
  await runSql(url, "select pg_reload_conf()");
}

function createPool(url: string) {
  const pool = createPostgresPool({
    url,
    applicationName: "test-pool",
    connectionsMax: CONNECTIONS_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    log: pino({ level: "silent" }),
  });
  stops.push(async () => await pool.end());
  return pool;
}
