import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import { DATASOURCE_TOKEN_TTL_SECONDS_MAX } from "../tokens/token-lifetimes.ts";
import type { Database } from "./database.ts";
import { KNOWN_NETWORK_TTL_MS } from "./known-network-store.ts";
import { LoginSessionSweep } from "./login-session-sweep.ts";
import {
  deleteKnownNetworks,
  deleteMintedTokens,
  deleteRevocations,
  trimAuditLog,
} from "./retention-store.ts";

/** Rows that one statement deletes, so that it does not hold locks for long. */
const BATCH_ROWS = 500;
/** Batches of one step in one round; the rest waits for the next round. */
const BATCHES_MAX = 20;
/** Room for clocks that differ and for requests in flight. */
const SLACK_MS = 60 * 60 * 1_000;
/** A revoked token of the longest lifetime has ended after this time. */
const REVOCATION_KEPT_MS = DATASOURCE_TOKEN_TTL_SECONDS_MAX * 1_000 + SLACK_MS;

export type RetentionOptions = {
  /** How long the audit log is kept; undefined keeps it for ever. */
  auditKeptMs?: number | undefined;
  sweep?: LoginSessionSweep;
  /** Asked between batches. */
  isStopped?: () => boolean;
  /** Called for each step that failed; the other steps go on. */
  onFailure?: (step: string, error: unknown) => void;
};

/**
 * Deletes expired rows in small batches. Several replicas may run it at once. A failed step does
 * not stop the others; without `onFailure`, the call rejects after the last step.
 */
export async function deleteExpired(
  db: Queryable,
  nowMs: number,
  options: RetentionOptions = {},
): Promise<void> {
  const { auditKeptMs, onFailure, isStopped = () => false } = options;
  const sweep = options.sweep ?? new LoginSessionSweep();
  const before = (keptMs: number) => new Date(nowMs - keptMs);
  const inBatches =
    (deleteBatch: (db: Queryable, before: Date, limit: number) => Promise<number>, end: Date) =>
    async () => {
      for (let batch = 0; batch < BATCHES_MAX && !isStopped(); batch++) {
        if ((await deleteBatch(db, end, BATCH_ROWS)) < BATCH_ROWS) return;
      }
    };
  const steps: Record<string, () => Promise<void>> = {
    "minted tokens": inBatches(deleteMintedTokens, before(SLACK_MS)),
    "login sessions": async () => await sweep.deleteExpired(db, before(SLACK_MS), isStopped),
    revocations: inBatches(deleteRevocations, before(REVOCATION_KEPT_MS)),
    "known networks": inBatches(deleteKnownNetworks, before(KNOWN_NETWORK_TTL_MS + SLACK_MS)),
  };
  if (auditKeptMs !== undefined) {
    steps["audit log"] = inBatches(trimAuditLog, before(auditKeptMs));
  }
  const failures: unknown[] = [];
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
      onFailure?.(name, error);
    }
  }
  if (onFailure === undefined && failures.length > 0) throw new AggregateError(failures);
}

/** Short enough that a round is small. */
const INTERVAL_MS = 60_000;

/** Deletes expired rows at the start and in intervals, until stopped. */
export function startRetention(
  db: Database,
  options: { log: Logger; clock: Clock; auditKeptMs: number | undefined },
): { stop(): Promise<void> } {
  const { log, clock, auditKeptMs } = options;
  const sweep = new LoginSessionSweep();
  const onFailure = (step: string, error: unknown) => {
    log.warn({ err: error, step }, "expired rows could not be deleted now");
  };
  let round: Promise<void> | undefined;
  let hasStopped = false;
  const isStopped = () => hasStopped;
  const begin = () => {
    // Rounds do not overlap, even if one takes longer than the interval.
    round ??= db
      .run("retention", (queryable) =>
        deleteExpired(queryable, clock.nowMs(), { auditKeptMs, sweep, isStopped, onFailure }),
      )
      .catch((error: unknown) => onFailure("all", error))
      .finally(() => {
        round = undefined;
      });
  };
  begin();
  const timer = setInterval(begin, INTERVAL_MS);
  timer.unref();
  return {
    async stop() {
      hasStopped = true;
      clearInterval(timer);
      await round;
    },
  };
}
