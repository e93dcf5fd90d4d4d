import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";
import { createPostgresPool, isDatabaseOutage, type Queryable } from "../runtime/postgres.ts";
import { FairQueue, type Lane, overloaded } from "./fair-queue.ts";
import { unavailable } from "./refusal.ts";

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
/** Enough to open connections on a busy machine; what waits longer waits for a database that hangs. */
const WAIT_MS_MAX = 400;
/** After an outage nothing waits behind what may hang as well, until something has succeeded. */
const OUTAGE_MS = 1_000;
/** No more than a pool serves while they wait. */
const WAITING_MAX = 256;
/** One client, however many connections it has, leaves room for three more like it. */
const SHARE_WAITING_MAX = 64;
/** A database that was too busy is asked again after that long. */
const RETRY_AFTER_MS = 1_000;

export function createDatabase(options: {
  url: string;
  /** The kind of work, as pg_stat_activity shows it. */
  kind: string;
  connectionsMax: number;
  log: Logger;
  clock: Clock;
}): Database {
  const { clock } = options;
  const pool = createPostgresPool({
    url: options.url,
    applicationName: `portcullis-auth-${options.kind}`,
    connectionsMax: options.connectionsMax,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    log: options.log,
  });
  const queue = new FairQueue({
    runningMax: options.connectionsMax,
    waitingMax: WAITING_MAX,
    shareWaitingMax: SHARE_WAITING_MAX,
    waitMsMax: WAIT_MS_MAX,
  });
  let failedAtMs = Number.NEGATIVE_INFINITY;
  const observed = async <T>(work: (db: Queryable) => Promise<T>): Promise<T> => {
    try {
      const result = await work(pool);
      failedAtMs = Number.NEGATIVE_INFINITY;
      return result;
    } catch (error) {
      if (isDatabaseOutage(error)) failedAtMs = clock.nowMs();
      throw error;
    }
  };
  return {
    async run(share, work, lane = "stranger") {
      const isFailing = Math.abs(clock.nowMs() - failedAtMs) < OUTAGE_MS;
      if (isFailing && queue.isBusy) throw noRoom();
      const result = await queue.run({ lane, share }, async () => await observed(work));
      if (result === overloaded) throw noRoom();
      return result;
    },
    end: async () => await pool.end(),
  };
}

function noRoom() {
  return unavailable("temporarily unavailable", RETRY_AFTER_MS);
}
