import type { Logger } from "../../runtime/log.ts";
import { createPostgresPool, type Queryable } from "../../runtime/postgres.ts";
import { unavailable } from "../refusal.ts";
import { FairQueue, type Lane, overloaded } from "./fair-queue.ts";

/** The database for one kind of work: a pool and a queue that other kinds cannot fill. */
export type Database = {
  /**
   * Runs a statement; the shares of this kind take turns. Rejects with `unavailable` at once when
   * the queue is full.
   */
  run<T>(share: string, work: (db: Queryable) => Promise<T>, lane?: Lane): Promise<T>;
  end(): Promise<void>;
};

/** Detects a paused database in time to refuse within a second. */
const STATEMENT_TIMEOUT_MS = 800;
/**
 * Many times what a statement needs: a longer wait means that the database hangs. Known clients go
 * first, so they wait at most for the slowest statement in flight.
 */
const WAIT_MS_MAX = { known: STATEMENT_TIMEOUT_MS, stranger: 400 };
/**
 * How often all connections are used, so that none is closed after 30 idle seconds: opening
 * connections takes too long when a crowd arrives.
 */
const WARM_INTERVAL_MS = 20_000;
/** About as many as a pool serves within the longest wait; more for work that comes in crowds. */
const WAITING_MAX = 256;
/** One share takes at most a quarter of the waiting room. */
const SHARE_WAITING_PART = 4;
/** The wait that a shed caller is told. */
const RETRY_AFTER_MS = 1_000;

export function createDatabase(options: {
  url: string;
  /** The kind of work, as pg_stat_activity shows it. */
  kind: string;
  connectionsMax: number;
  waitingMax?: number | undefined;
  log: Logger;
}): Database {
  const { waitingMax = WAITING_MAX } = options;
  const pool = createPostgresPool({
    url: options.url,
    applicationName: `portcullis-auth-${options.kind}`,
    connectionsMax: options.connectionsMax,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    log: options.log,
  });
  const queue = new FairQueue({
    runningMax: options.connectionsMax,
    waitingMax,
    shareWaitingMax: waitingMax / SHARE_WAITING_PART,
    waitMsMax: WAIT_MS_MAX,
  });
  const touch = async () => {
    try {
      await pool.query("select 1");
    } catch {
      // Without a database, the next statement fails anyway.
    }
  };
  const keepWarm = () => {
    for (let connection = 0; connection < options.connectionsMax; connection++) {
      void queue.run({ lane: "stranger", share: "warm" }, touch);
    }
  };
  keepWarm();
  const warmer = setInterval(keepWarm, WARM_INTERVAL_MS);
  warmer.unref();
  return {
    async run(share, work, lane = "stranger") {
      const result = await queue.run({ lane, share }, async () => await work(pool));
      if (result === overloaded) throw unavailable("temporarily unavailable", RETRY_AFTER_MS);
      return result;
    },
    async end() {
      clearInterval(warmer);
      await pool.end();
    },
  };
}
