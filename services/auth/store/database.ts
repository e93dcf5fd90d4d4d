import type { Logger } from "../../runtime/log.ts";
import { createPostgresPool, type Queryable } from "../../runtime/postgres.ts";
import { unavailable } from "../refusal.ts";
import { FairQueue, type Lane, overloaded } from "./fair-queue.ts";

/** The database as one kind of work sees it: a pool and a queue that no other kind can fill. */
export type Database = {
  /**
   * Runs a statement for somebody who takes turns with the others of this kind. Rejects with
   * `unavailable` at once when there is no room.
   */
  run<T>(share: string, work: (db: Queryable) => Promise<T>, lane?: Lane): Promise<T>;
  end(): Promise<void>;
};

/** A paused database is noticed within this time, so that refusals come within a second. */
const STATEMENT_TIMEOUT_MS = 800;
/**
 * Many times what a statement needs; what waits longer waits for a database that hangs. Known clients
 * go first, so that they wait for nobody but the slowest statement under way.
 */
const WAIT_MS_MAX = { known: STATEMENT_TIMEOUT_MS, stranger: 400 };
/**
 * How often all connections are used, so that none is idle for the 30 s after which it is given
 * back: opening some takes too long just when a crowd has come.
 */
const WARM_INTERVAL_MS = 20_000;
/** No more than a pool serves while they wait, unless the kind of work comes in crowds. */
const WAITING_MAX = 256;
/** One client, however many connections it has, leaves room for three more like it. */
const SHARE_WAITING_PART = 4;
/** A database that was too busy is asked again after that long. */
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
      // While the database is away, whoever needs it finds that out.
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
