import type { Clock } from "../runtime/clock.ts";
import type { Queryable } from "../runtime/postgres.ts";
import type { Database } from "./database.ts";
import { REFRESH_TOKEN_TTL_MS } from "./token-lifetimes.ts";

/** One look serves all of this time, however much noise there is. */
const BELIEVED_MS = 1_000;
/** The database notes the time to the minute; the rest is for clocks that differ. */
const SLACK_MS = 5 * 60_000;

/**
 * Whether a refresh token of an older program, which only the database can tell from noise, may
 * still be alive. Asks at most once a second, and goes by the last answer while there is no new one:
 * the schema notes such tokens from its own beginning.
 */
export type UnnamedTokens = { mayExist(): Promise<boolean> };

export function createUnnamedTokens(
  db: Database,
  clock: Clock,
  /** As read at the start. */
  lastIssuedAtMs: number,
): UnnamedTokens {
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let look = Promise.resolve(lastIssuedAtMs);
  return {
    async mayExist() {
      const nowMs = clock.nowMs();
      if (Math.abs(nowMs - lookedAtMs) >= BELIEVED_MS) {
        lookedAtMs = nowMs;
        const last = look;
        look = db.run("unnamed tokens", readLastUnnamedToken, "known").catch(() => last);
      }
      return nowMs < (await look) + REFRESH_TOKEN_TTL_MS + SLACK_MS;
    },
  };
}

/** When a program last issued a refresh token that does not name its login session. */
export async function readLastUnnamedToken(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ last_issued_at: Date | null }>(
    "select last_issued_at from auth.unnamed_refresh_tokens",
  );
  return rows[0]?.last_issued_at?.getTime() ?? Number.NEGATIVE_INFINITY;
}
