import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../runtime/clock.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import { REFRESH_TOKEN_TTL_MS } from "../tokens/token-lifetimes.ts";
import type { Database } from "./database.ts";

/** The least time between two lookups, however many texts are presented. */
const LOOK_INTERVAL_MS = 100;
/** After this wait the result of the last successful lookup counts. */
const WAIT_MS_MAX = 250;
/** The database keeps the time to the minute; the rest is for clocks that differ. */
const SLACK_MS = 5 * 60_000;

/**
 * Whether a refresh token of an older program may still be live; only the database tells those from
 * noise. One lookup at a time serves all callers that asked before it began.
 */
export type UnnamedTokens = { mayExist(): Promise<boolean> };

export function createUnnamedTokens(
  db: Database,
  clock: Clock,
  /** As read at the start. */
  lastIssuedAtMs: number,
): UnnamedTokens {
  let lastKnownMs = lastIssuedAtMs;
  let underway = Promise.resolve();
  let next: Promise<void> | undefined;
  const look = async () => {
    try {
      lastKnownMs = await db.run("unnamed tokens", readLastUnnamedToken, "known");
    } catch {
      // The last known time still holds: the database has noted every such token.
    }
  };
  return {
    async mayExist() {
      next ??= underway.then(() => {
        next = undefined;
        const looked = look();
        underway = looked.then(async () => await sleep(LOOK_INTERVAL_MS, undefined, UNREF));
        return looked;
      });
      await Promise.race([next, sleep(WAIT_MS_MAX, undefined, UNREF)]);
      return clock.nowMs() < lastKnownMs + REFRESH_TOKEN_TTL_MS + SLACK_MS;
    },
  };
}

/** These timers do not keep the process alive. */
const UNREF = { ref: false };

/** The last time that a program issued a refresh token that does not name its login session. */
export async function readLastUnnamedToken(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ last_issued_at: Date | null }>(
    "select last_issued_at from auth.unnamed_refresh_tokens",
  );
  return rows[0]?.last_issued_at?.getTime() ?? Number.NEGATIVE_INFINITY;
}
