import pg from "pg";
import { isBackendGone } from "./backend-inspector.ts";
import { BackendPlaces } from "./backend-places.ts";
import { createDatabaseTelemetry, measureQueries } from "./database-telemetry.ts";
import { HeldClient } from "./held-client.ts";
import type { Logger } from "./log.ts";
import type {} from "./pg-internals.ts";
import { enforceSettings, refuseSharedSession, SessionSettingsError } from "./session-settings.ts";

/** What a store needs to run a statement: a pool or a client inside a transaction. */
export type Queryable = Pick<pg.ClientBase, "query">;

export type PostgresPool = pg.Pool;

export type PostgresOptions = {
  url: string;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** The most backends that this pool holds, including those that no longer answer. */
  connectionsMax: number;
  /** How long one statement may take. The server and this process both enforce it. */
  statementTimeoutMs: number;
  log: Logger;
};

/** On one network, a working database accepts a connection within this time. */
const CONNECT_TIMEOUT_MS = 1_000;
/** The client's timeout ends this much after the server's, so that the server's error wins. */
const CLIENT_SLACK_MS = 50;
/** The pool closes connections that have been idle for this long. */
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Opens a pool in which every wait is bounded: connecting, waiting for a connection, and each
 * statement. A connection whose statement timed out is never reused; it keeps its place in the pool
 * until its backend is gone.
 */
export function createPostgresPool(options: PostgresOptions): PostgresPool {
  const { statementTimeoutMs } = options;
  const connectTimeoutMs = Math.min(CONNECT_TIMEOUT_MS, statementTimeoutMs);
  const places = new BackendPlaces(options.applicationName, options.connectionsMax);
  let isShared: Promise<void> | undefined;
  const pool = new HeldPool(places, {
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.connectionsMax,
    Client: clientsIn(places, connectTimeoutMs),
    // The client's own timeout must end first: the pool's would close the connection.
    connectionTimeoutMillis: connectTimeoutMs + CLIENT_SLACK_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    query_timeout: statementTimeoutMs + CLIENT_SLACK_MS,
    allowExitOnIdle: true,
    onConnect: async (client) => {
      if (!(client instanceof HeldClient)) throw new Error("a client of another kind");
      await enforceSettings(client, settingsOf(statementTimeoutMs));
      isShared ??= refuseSharedSession(client).catch((error: unknown) => {
        // Only a SessionSettingsError is permanent; any other error is checked again.
        if (!(error instanceof SessionSettingsError)) isShared = undefined;
        throw error;
      });
      await isShared;
    },
  });
  const telemetry = createDatabaseTelemetry();
  pool.on("connect", (client) => measureQueries(client, telemetry));
  // Idle connections break when the database goes away. The next statement reports that.
  pool.on("error", (error) => {
    options.log.warn({ err: error }, "an idle database connection was lost");
  });
  return pool;
}

/** The last two turn off timeouts that a role may have and that would end our sessions. */
function settingsOf(statementTimeoutMs: number) {
  return {
    statement_timeout: String(statementTimeoutMs),
    idle_session_timeout: "0",
    transaction_timeout: "0",
  };
}

/** The class of the pool's clients. pg constructs them with its own options. */
function clientsIn(places: BackendPlaces, connectTimeoutMs: number) {
  return class extends HeldClient {
    constructor(config?: pg.ClientConfig) {
      super({ ...config, places, connectTimeoutMs, isBackendGone });
    }
  };
}

/** A pool that is full when all its places are held, abandoned connections included. */
class HeldPool extends pg.Pool {
  readonly #places: BackendPlaces;

  constructor(places: BackendPlaces, config: pg.PoolConfig) {
    super(config);
    this.#places = places;
    places.onFree(() => this._pulseQueue());
  }

  /** Overrides pg, which counts only the clients that it knows. */
  _isFull(): boolean {
    return this.#places.held >= this.#places.max;
  }
}

/** Runs work inside one transaction; rolls back and rethrows when it fails. */
export async function transaction<T>(
  pool: PostgresPool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    client.release();
    return result;
  } catch (error) {
    await rollback(client);
    throw error;
  }
}

/** Rolls back. A connection that cannot is in an unknown state and is not used again. */
async function rollback(client: pg.PoolClient): Promise<void> {
  try {
    if (client instanceof HeldClient && client.isBusy) throw new Error("it was given up");
    await client.query("rollback");
    client.release();
  } catch (error) {
    client.release(error instanceof Error ? error : true);
  }
}

/** SQLSTATE classes of a database that cannot serve now: connection, resources, intervention. */
const OUTAGE_CLASSES = new Set(["08", "53", "57", "58"]);
/** lock_not_available, idle_in_transaction_session_timeout, read_only_sql_transaction. */
const OUTAGE_STATES = new Set(["55P03", "25P03", "25006"]);
const OUTAGE_MESSAGES =
  /timeout|timed out|Connection terminated|Client has encountered a connection error|not queryable/i;
const SYSTEM_CODES = /^E(CONN|PIPE|HOST|NET|TIMEDOUT|ADDR|NOTFOUND|AI_AGAIN)/;

/** Whether an error means that the database cannot serve now, as opposed to a bug or bad data. */
export function isDatabaseOutage(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof SessionSettingsError) return false;
  if (error instanceof AggregateError) return error.errors.some(isDatabaseOutage);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith("E")) {
    return OUTAGE_CLASSES.has(code.slice(0, 2)) || OUTAGE_STATES.has(code);
  }
  return SYSTEM_CODES.test(code) || OUTAGE_MESSAGES.test(error.message);
}
