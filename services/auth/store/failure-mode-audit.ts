import type { FailureModeChange } from "../../../clients/limiter/failure-mode.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/log.ts";
import { recordFailureModeChange } from "./audit-log.ts";
import type { Database } from "./database.ts";

/** Limits fail open during outages, when the database is often away, too. */
const RETRY_MS = 1_000;

/** Records changes of the failure mode in the audit log; retries until the database takes them. */
export function createFailureModeAudit(
  db: Database,
  { log, clock }: { log: Logger; clock: Clock },
) {
  const timers = new Set<NodeJS.Timeout>();
  let isStopped = false;
  const write = async (change: FailureModeChange, at: Date) => {
    try {
      await db.run(
        "failure mode",
        async (queryable) => await recordFailureModeChange(queryable, change, at),
        "known",
      );
    } catch (error) {
      if (isStopped) return;
      log.warn({ err: error, ...change }, "a change of the failure mode is not yet audited");
      const timer = setTimeout(() => {
        timers.delete(timer);
        void write(change, at);
      }, RETRY_MS);
      timers.add(timer.unref());
    }
  };
  return {
    record: (change: FailureModeChange) => void write(change, new Date(clock.nowMs())),
    stop() {
      isStopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
