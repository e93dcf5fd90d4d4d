import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../runtime/log.ts";
import { migrate, readMigrations } from "../runtime/migrate.ts";
import { createPostgresPool, isDatabaseOutage, type PostgresPool } from "../runtime/postgres.ts";
import type { Config } from "./config.ts";
import { seedDemo } from "./login/demo.ts";
import { loadRefreshTokenKey } from "./store/refresh-token-key-store.ts";
import { loadSigningKeys } from "./store/signing-key-store.ts";
import { readLastUnnamedToken } from "./store/unnamed-tokens.ts";
import type { SigningKey } from "./tokens/signing-key.ts";

/** Enough for a database that starts together with auth. */
const DATABASE_WAIT_MS = 15_000;
const DATABASE_RETRY_MS = 250;
/** Replicas that start together wait for each other's migrations. */
const STATEMENT_TIMEOUT_MS = 15_000;

/** Data that must be loaded before the first request. */
export type Prepared = {
  signingKeys: [SigningKey, ...SigningKey[]];
  refreshTokenKey: Buffer;
  lastUnnamedTokenAtMs: number;
};

/**
 * Waits for the database, migrates the schema and loads the keys. Rejects with the reason when the
 * database does not come up in time or refuses the connection.
 */
export async function prepareDatabase(
  config: Config,
  { log, now }: { log: Logger; now: Date },
): Promise<Prepared> {
  const pool = createPostgresPool({
    url: config.databaseUrl.reveal(),
    applicationName: "portcullis-auth-start",
    connectionsMax: 1,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    log,
  });
  try {
    await waitForDatabase(pool, log);
    const migrations = await readMigrations(new URL("./migrations/", import.meta.url));
    await migrate({ pool, schema: "auth", migrations, log });
    if (config.listen.isDevelopment) await seedDemo(pool, now);
    return {
      signingKeys: await loadSigningKeys(pool, config.signingKeys),
      refreshTokenKey: await loadRefreshTokenKey(pool),
      lastUnnamedTokenAtMs: await readLastUnnamedToken(pool),
    };
  } finally {
    await pool.end();
  }
}

async function waitForDatabase(pool: PostgresPool, log: Logger): Promise<void> {
  const deadlineMs = performance.now() + DATABASE_WAIT_MS;
  for (;;) {
    try {
      await pool.query("select 1");
      return;
    } catch (error) {
      if (!isDatabaseOutage(error) || performance.now() >= deadlineMs) throw error;
      log.warn({ err: error }, "waiting for the database");
      await sleep(DATABASE_RETRY_MS);
    }
  }
}
