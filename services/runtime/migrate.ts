import { createHash } from "node:crypto";
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
 * migration commits on its own; replicas that start at once wait for each other. A database that is
 * newer than this program is left alone, since migrations only expand. Rejects if the text of a
 * migration was changed after it was applied: such a schema is not what the program expects.
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

  const table = tableOf(schema);
  let version = await locked(async (client) => {
    await client.query(`create schema if not exists ${quoteIdentifier(schema)}`);
    await client.query(
      `create table if not exists ${table} (
         version integer primary key,
         name text not null,
         applied_at timestamptz not null default clock_timestamp(),
         checksum text
       )`,
    );
    await addChecksums(client, table);
    await checkTexts(client, schema, migrations);
    return await newestVersion(client, table);
  });
  for (const migration of migrations) {
    if (migration.version <= version) continue;
    const applied = await locked(async (client) => {
      const current = await newestVersion(client, table);
      if (migration.version <= current) return false;
      await client.query(`insert into ${table} (version, name, checksum) values ($1, $2, $3)`, [
        migration.version,
        migration.name,
        checksumOf(migration),
      ]);
      await client.query(migration.sql);
      return true;
    });
    if (applied) log.info({ schema, migration: migration.name }, "migration applied");
    version = migration.version;
  }
  return version;
}

/** Adds the column that tables of older programs lack. Without need it would wait for every reader. */
async function addChecksums(client: pg.PoolClient, table: string): Promise<void> {
  const column = await client.query(
    `select from pg_attribute
     where attrelid = $1::regclass and attname = 'checksum' and not attisdropped`,
    [table],
  );
  if (column.rows.length === 0) await client.query(`alter table ${table} add column checksum text`);
}

/**
 * Compares each applied migration with its text. A row without a checksum was written by a program
 * that had none: it gets the checksum of the present text.
 */
async function checkTexts(
  client: pg.PoolClient,
  schema: string,
  migrations: readonly Migration[],
): Promise<void> {
  const table = tableOf(schema);
  const applied = await client.query<{ version: number; checksum: string | null }>(
    `select version, checksum from ${table}`,
  );
  const checksums = new Map(applied.rows.map(({ version, checksum }) => [version, checksum]));
  for (const migration of migrations) {
    const stored = checksums.get(migration.version);
    const checksum = checksumOf(migration);
    if (stored === undefined || stored === checksum) continue;
    if (stored !== null) {
      throw new Error(
        `migration ${migration.name} of schema ${schema} was changed after it was applied: ` +
          "restore its text, and put the change into a new migration",
      );
    }
    await client.query(`update ${table} set checksum = $2 where version = $1`, [
      migration.version,
      checksum,
    ]);
  }
}

/** SHA-256 of the text as it is in its file. */
function checksumOf({ sql }: Migration): string {
  return createHash("sha256").update(sql).digest("hex");
}

function tableOf(schema: string): string {
  return `${quoteIdentifier(schema)}.migrations`;
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
