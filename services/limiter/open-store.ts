import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";
import { migrate, readMigrations } from "../runtime/migrate.ts";
import { createPostgresPool, isDatabaseOutage } from "../runtime/postgres.ts";
import type { Config } from "./config.ts";
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

/** Opens the store that is configured, with its schema up to date. */
export async function openStore(
  config: Config,
  options: { log: Logger; clock: Clock; longestPeriodMs: number },
): Promise<{ store: Store; schemaVersion: number }> {
  if (config.databaseUrl === undefined) {
    return { store: new MemoryStore(options.clock), schemaVersion: 0 };
  }
  const url = config.databaseUrl.reveal();
  const deadlineMs = performance.now() + DATABASE_WAIT_MS;
  for (;;) {
    try {
      const schemaVersion = await prepareDatabase(url, config, options);
      const { synchronousCommit, decisionTimeoutMs } = config;
      const holdTimeoutMs = Math.floor(decisionTimeoutMs * HOLD_SHARE);
      const store = new PostgresStore({ url, synchronousCommit, holdTimeoutMs });
      await store.warmUp();
      return { store, schemaVersion };
    } catch (error) {
      if (!isDatabaseOutage(error) || performance.now() > deadlineMs) throw error;
      options.log.warn({ err: error }, "the database cannot serve yet");
      await new Promise((resolve) => setTimeout(resolve, DATABASE_RETRY_MS));
    }
  }
}

async function prepareDatabase(
  url: string,
  config: Config,
  options: { log: Logger; longestPeriodMs: number },
): Promise<number> {
  const pool = createPostgresPool({
    url,
    applicationName: "portcullis-limiter",
    connectionsMax: 1,
    statementTimeoutMs: MIGRATION_STATEMENT_TIMEOUT_MS,
    log: options.log,
  });
  try {
    const migrations = await readMigrations(new URL("./migrations/", import.meta.url));
    const version = await migrate({ pool, schema: "limiter", migrations, log: options.log });
    await checkSalts(pool, config.salts, options.longestPeriodMs);
    return version;
  } finally {
    await pool.end();
  }
}
