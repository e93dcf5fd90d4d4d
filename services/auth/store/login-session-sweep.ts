import type { Queryable } from "../../runtime/postgres.ts";

/** Login sessions in one page. */
const PAGE_SESSIONS = 20;
/** Refresh tokens deleted by one statement, shared by the login sessions of a page. */
const BATCH_TOKENS_MAX = 2_000;
/** The batch for a slow database. */
const BATCH_TOKENS_MIN = PAGE_SESSIONS;
/** Statements that delete tokens, in one round. */
const BATCHES_MAX = 100;

/** The time is a text, since a Date would lose its microseconds. */
type Session = { id: string; expires_at: string };

/**
 * Deletes expired login sessions, and first their refresh tokens in batches: a login session of an
 * older program may have millions, too many for one statement. A round starts where the last one
 * stopped, so that such a session does not keep the others from their turn.
 */
export class LoginSessionSweep {
  #after: Session | undefined;
  #batchTokens = BATCH_TOKENS_MAX;

  async deleteExpired(
    db: Queryable,
    before: Date,
    isStopped: () => boolean = () => false,
  ): Promise<void> {
    let isWrapped = this.#after === undefined;
    for (let batch = 0; batch < BATCHES_MAX && !isStopped(); batch++) {
      const page = await readPage(db, before, this.#after);
      if (page.length > 0) await this.#deletePage(db, page);
      this.#after = page.length < PAGE_SESSIONS ? undefined : page.at(-1);
      if (this.#after !== undefined) continue;
      // Go round once more for what large login sessions have left.
      const isDone = page.length === 0 && isWrapped;
      if (isDone) return;
      isWrapped = true;
    }
  }

  /** Halves the batch after a failure, since the statement may have taken too long. */
  async #deletePage(db: Queryable, page: readonly Session[]): Promise<void> {
    const ids = page.map(({ id }) => id);
    try {
      await deleteTokens(db, ids, Math.ceil(this.#batchTokens / ids.length));
      await deleteSessions(db, ids);
      this.#batchTokens = Math.min(BATCH_TOKENS_MAX, this.#batchTokens * 2);
    } catch (error) {
      this.#batchTokens = Math.max(BATCH_TOKENS_MIN, Math.floor(this.#batchTokens / 2));
      throw error;
    }
  }
}

async function readPage(
  db: Queryable,
  before: Date,
  after: Session | undefined,
): Promise<Session[]> {
  const { rows } = await db.query<Session>(
    `select id, expires_at::text as expires_at from auth.login_sessions
     where expires_at < $1::timestamptz
       and ($2::timestamptz is null or (expires_at, id) > ($2::timestamptz, $3::uuid))
     order by login_sessions.expires_at, id limit $4::int`,
    [before, after?.expires_at, after?.id, PAGE_SESSIONS],
  );
  return rows;
}

async function deleteTokens(
  db: Queryable,
  ids: readonly string[],
  tokensEach: number,
): Promise<void> {
  await db.query(
    `delete from auth.refresh_tokens where digest in (
       select t.digest from unnest($1::uuid[]) as session (id)
       cross join lateral (
         select digest from auth.refresh_tokens
         where login_session = session.id limit $2::int for update skip locked
       ) t
     )`,
    [ids, tokensEach],
  );
}

/** Deletes the login sessions that have no tokens left. */
async function deleteSessions(db: Queryable, ids: readonly string[]): Promise<void> {
  await db.query(
    `delete from auth.login_sessions s
     where s.id = any($1::uuid[])
       and not exists (select from auth.refresh_tokens t where t.login_session = s.id)`,
    [ids],
  );
}
