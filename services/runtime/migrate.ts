import { readdir, readFile } from "node:fs/promises";
import type pg from "pg";
import type { Logger } from "./log.ts";
import { type PostgresPool, transaction } from "./postgres.ts";

export type Migration = { version: number; name: string; sql: string };

/** Reads `NNNN-name.sql` files. Throws unless versions count up from 1 without a gap. */
export async function readMigrations(folder: URL): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".sql")).sort();
  return await Promise.all(
    files.map(async (file, index) => {
      const [, digits, name] = /^(\d{4})-([a-z0-9-]+)\.sql$/.exec(file) ?? [];
      if (Number(digits) !== index + 1 || name === undefined) {
        throw new Error(
          `migration ${file}: expected ${String(index + 1).padStart(4, "0")}-name.sql`,
        );
      }
      return { version: index + 1, name, sql: await readFile(new URL(file, folder), "utf8") };
    }),
  );
}

/**
 * Brings one service's schema up to date and returns the newest version in the database. Each
 * migration commits in its own transaction; replicas that start at once wait for each other. A
 * newer database stays as it is, since migrations only expand.
 */
export async function migrate(options: {
  pool: PostgresPool;
  schema: string;
  migrations: readonly Migration[];
  log: Logger;
}): Promise<number> {
  const { pool, schema, migrations, log } = options;
  const locked = async <T>(work: (client: pg.PoolClient) => Promise<T>) =>
    await transaction(pool, async (client) => {
      await client.query("set local statement_timeout = 0");
      await client.query("select pg_advisory_xact_lock(hashtext($1))", [`migrate:${schema}`]);
      return await work(client);
    });

  const table = `${quoteIdentifier(schema)}.migrations`;
  let version = await locked(async (client) => {
    await client.query(`create schema if not exists ${quoteIdentifier(schema)}`);
    await client.query(
      `create table if not exists ${table} (
         version integer primary key,
         name text not null,
         applied_at timestamptz not null default clock_timestamp()
       )`,
    );
    return await newestVersion(client, table);
  });
  for (const migration of migrations) {
    if (migration.version <= version) continue;
    const applied = await locked(async (client) => {
      const current = await newestVersion(client, table);
      if (migration.version <= current) return false;
      await client.query(`insert into ${table} (version, name) values ($1, $2)`, [
        migration.version,
        migration.name,
      ]);
      await client.query(migration.sql);
      return true;
    });
    if (applied) log.info({ schema, migration: migration.name }, "migration applied");
    version = migration.version;
  }
  return version;
}

async function newestVersion(client: pg.PoolClient, table: string): Promise<number> {
  const result = await client.query<{ version: number }>(
    `select coalesce(max(version), 0)::int as version from ${table}`,
  );
  return result.rows[0]?.version ?? 0;
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
