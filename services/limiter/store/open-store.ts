import { Durability } from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/log.ts";
import { migrate, readMigrations } from "../../runtime/migrate.ts";
import { createPostgresPool, isDatabaseOutage, type PostgresPool } from "../../runtime/postgres.ts";
import type { Secret } from "../../runtime/secret.ts";
import { MemoryStore } from "./memory-store.ts";
import { PostgresStore } from "./postgres-store.ts";
import { checkSalts } from "./salt-check.ts";
import type { Store } from "./store.ts";

/** A database that starts together with the limiter is up by then. */
const DATABASE_WAIT_MS = 15_000;
const DATABASE_RETRY_MS = 250;
/** A flush that waits for rows this share of the time a decision may take can still be answered. */
const HOLD_SHARE = 2 / 3;
/** Migrations lock tables and build indexes, which decisions never do. */
const MIGRATION_STATEMENT_TIMEOUT_MS = 30_000;

/** What of the configuration a store is opened with. */
export type StoreConfig = {
  /** Unset for a store in memory. */
  databaseUrl?: Secret | undefined;
  salts: readonly Secret[];
  synchronousCommit: string;
  decisionTimeoutMs: number;
};

export type OpenStore = {
  store: Store;
  schemaVersion: number;
  /** What is in force, as the database says. */
  durability: () => Durability;
};

/** Opens the store that is configured, with its schema up to date. */
export async function openStore(
  config: StoreConfig,
  options: { log: Logger; clock: Clock; longestPeriodMs: number },
): Promise<OpenStore> {
  if (config.databaseUrl === undefined) {
    const store = new MemoryStore(options.clock);
    return { store, schemaVersion: 0, durability: () => Durability.NONE };
  }
  const url = config.databaseUrl.reveal();
  const { synchronousCommit, decisionTimeoutMs } = config;
  const holdTimeoutMs = Math.floor(decisionTimeoutMs * HOLD_SHARE);
  const store = new PostgresStore({ url, synchronousCommit, holdTimeoutMs });
  try {
    // One pool and one store for all tries: what a failed one left behind stays counted.
    const schemaVersion = await withMigrationPool(
      url,
      options.log,
      async (pool) =>
        await untilDatabaseServes(options.log, async () => await prepare(pool, config, options)),
    );
    await untilDatabaseServes(options.log, async () => await store.warmUp());
    const durability = () => (store.isDurable ? Durability.SYNCHRONOUS : Durability.ASYNCHRONOUS);
    return { store, schemaVersion, durability };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function untilDatabaseServes<T>(log: Logger, work: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + DATABASE_WAIT_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseOutage(error) || performance.now() > deadlineMs) throw error;
      log.warn({ err: error }, "the database cannot serve yet");
      await new Promise((resolve) => setTimeout(resolve, DATABASE_RETRY_MS));
    }
  }
}

async function withMigrationPool<T>(
  url: string,
  log: Logger,
  work: (pool: PostgresPool) => Promise<T>,
): Promise<T> {
  const pool = createPostgresPool({
    url,
    applicationName: "portcullis-limiter",
    connectionsMax: 1,
    statementTimeoutMs: MIGRATION_STATEMENT_TIMEOUT_MS,
    log,
  });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}

async function prepare(
  pool: PostgresPool,
  config: StoreConfig,
  options: { log: Logger; longestPeriodMs: number },
): Promise<number> {
  const migrations = await readMigrations(new URL("../migrations/", import.meta.url));
  const version = await migrate({ pool, schema: "limiter", migrations, log: options.log });
  await checkSalts(pool, config.salts, options.longestPeriodMs);
  return version;
}
