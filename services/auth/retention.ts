import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";
import type { Queryable } from "../runtime/postgres.ts";
import { DATASOURCE_TOKEN_TTL_SECONDS_MAX } from "./token-lifetimes.ts";

/** Rows deleted by one statement, so that none of them holds locks for long. */
const BATCH_ROWS = 500;
/** A login session takes up to thousands of refresh tokens with it. */
const BATCH_LOGIN_SESSIONS = 20;
/** Batches in one round; what is left waits for the next. */
const BATCHES_MAX = 20;
/** Room for clocks that differ and for what was under way. */
const SLACK_MS = 60 * 60 * 1_000;
/** After that long nothing that was revoked can still be alive, whatever its lifetime was. */
const REVOCATION_KEPT_MS = DATASOURCE_TOKEN_TTL_SECONDS_MAX * 1_000 + SLACK_MS;

/** Deletes what can no longer matter, in small batches. Harmless on several replicas at once. */
export async function deleteExpired(db: Queryable, nowMs: number): Promise<void> {
  const expiredBefore = new Date(nowMs - SLACK_MS);
  await inBatches(BATCH_ROWS, (limit) => deleteMintedTokens(db, expiredBefore, limit));
  await inBatches(BATCH_LOGIN_SESSIONS, (limit) => deleteLoginSessions(db, expiredBefore, limit));
  const revokedBefore = new Date(nowMs - REVOCATION_KEPT_MS);
  await inBatches(BATCH_ROWS, (limit) => deleteRevocations(db, revokedBefore, limit));
}

async function inBatches(
  limit: number,
  deleteBatch: (limit: number) => Promise<number>,
): Promise<void> {
  for (let batch = 0; batch < BATCHES_MAX; batch++) {
    if ((await deleteBatch(limit)) < limit) return;
  }
}

async function deleteMintedTokens(db: Queryable, before: Date, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from auth.minted_tokens where jti in (
       select jti from auth.minted_tokens where expires_at < $1::timestamptz
       order by expires_at limit $2::int for update skip locked
     )`,
    [before, limit],
  );
  return rowCount ?? 0;
}

/** Their refresh tokens go with them. */
async function deleteLoginSessions(db: Queryable, before: Date, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from auth.login_sessions where id in (
       select id from auth.login_sessions where expires_at < $1::timestamptz
       order by expires_at limit $2::int for update skip locked
     )`,
    [before, limit],
  );
  return rowCount ?? 0;
}

/** The log remembers how far it was trimmed, so that a reader left behind is told of its gap. */
async function deleteRevocations(db: Queryable, before: Date, limit: number): Promise<number> {
  const { rows } = await db.query<{ deleted: number }>(
    `with old as (
       select sequence from auth.revocations where revoked_at < $1::timestamptz
       order by revoked_at limit $2::int
     ), deleted as (
       delete from auth.revocations where sequence in (select sequence from old)
       returning sequence
     ), trimmed as (
       update auth.revocation_log set trimmed_through =
         greatest(trimmed_through, (select max(sequence) from deleted))
       where exists (select from deleted)
     )
     select count(*)::int as deleted from deleted`,
    [before, limit],
  );
  return rows[0]?.deleted ?? 0;
}

/** How often to look; far more often than anything piles up. */
const INTERVAL_MS = 60_000;

/** Deletes what has expired, now and then, until stopped. An outage only postpones it. */
export function startRetention(
  db: Queryable,
  { log, clock }: { log: Logger; clock: Clock },
): { stop(): Promise<void> } {
  let round = Promise.resolve();
  const begin = () => {
    round = deleteExpired(db, clock.nowMs()).catch((error: unknown) => {
      log.warn({ err: error }, "expired rows could not be deleted now");
    });
  };
  const timer = setInterval(begin, INTERVAL_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await round;
    },
  };
}
