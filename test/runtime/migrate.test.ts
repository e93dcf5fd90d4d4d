import pg from "pg";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { type Migration, migrate } from "../../services/runtime/migrate.ts";
import { createPostgresPool } from "../../services/runtime/postgres.ts";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";

const log = pino({ level: "silent" });

const MIGRATIONS: Migration[] = [
  { version: 1, name: "first", sql: "create table app.things (id int primary key)" },
  { version: 2, name: "second", sql: "insert into app.things values (1); select pg_sleep(0.2)" },
];

test("migrate() run by several replicas at once does everything once", async () => {
  const { url, run } = await setup();
  const versions = await Promise.all([run(MIGRATIONS), run(MIGRATIONS), run(MIGRATIONS)]);
  expect(versions).toEqual([2, 2, 2]);
  expect(await runSql(url, "select id from app.things")).toEqual([{ id: 1 }]);
  expect(await run(MIGRATIONS)).toBe(2);
});

test("migrate() leaves a database that is newer than the program alone", async () => {
  const { run } = await setup();
  await run(MIGRATIONS);
  expect(await run(MIGRATIONS.slice(0, 1))).toBe(2);
});

test("migrate() keeps what succeeded and nothing of what failed", async () => {
  const { url, run } = await setup();
  const broken = {
    version: 2,
    name: "broken",
    sql: "insert into app.things values (9); select 1/0",
  };
  await expect(run([...MIGRATIONS.slice(0, 1), broken])).rejects.toThrow("division by zero");
  expect(await runSql(url, "select id from app.things")).toEqual([]);
  expect(await run(MIGRATIONS)).toBe(2);
});

test("migrate() refuses a migration whose text was changed after it was applied, by name", async () => {
  const { url, run } = await setup();
  await run(MIGRATIONS);
  const changed = MIGRATIONS.map((migration) =>
    migration.version === 1 ? { ...migration, sql: `${migration.sql} -- changed` } : migration,
  );
  const third = { version: 3, name: "third", sql: "insert into app.things values (3)" };
  await expect(run([...changed, third])).rejects.toThrow(
    "migration first of schema app was changed after it was applied",
  );
  expect(await runSql(url, "select id from app.things")).toEqual([{ id: 1 }]);
  expect(await run([...MIGRATIONS, third])).toBe(3);
});

test("migrate() fills in the checksums of a database that has none", async () => {
  const { url, run } = await setup();
  await run(MIGRATIONS);
  const read = async () => await runSql(url, "select * from app.migrations order by version");
  const before = await read();
  await runSql(url, "alter table app.migrations drop column checksum");
  expect(await run(MIGRATIONS)).toBe(2);
  expect(await read()).toEqual(before);
});

test("migrate() of a current database waits for nobody who reads its tables, such as a backup", async () => {
  const { url, run } = await setup();
  await run(MIGRATIONS);
  const backup = new pg.Client({ connectionString: url });
  await backup.connect();
  onTestFinished(async () => await backup.end());
  await backup.query("begin; lock table app.migrations in access share mode");
  expect(await run(MIGRATIONS)).toBe(2);
});

async function setup() {
  const url = await createTestDatabase("migrate");
  const run = async (migrations: Migration[]) => {
    const pool = createPostgresPool({
      url,
      applicationName: "migrate-test",
      connectionsMax: 2,
      statementTimeoutMs: 5_000,
      log,
    });
    onTestFinished(async () => await pool.end());
    return await migrate({ pool, schema: "app", migrations, log });
  };
  return { url, run };
}
