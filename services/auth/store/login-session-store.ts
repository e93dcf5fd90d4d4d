import type { Queryable } from "../../runtime/postgres.ts";
import type { Principal } from "../tokens/access-token.ts";
import { idsWithTag, type ReadToken } from "../tokens/refresh-token.ts";

/** Only the digest of a refresh token is ever stored. */
export type RefreshDigest = Buffer;

/** A text that may be a refresh token of ours. */
export type PresentedToken = Exclude<ReadToken, { kind: "noise" }>;

/**
 * Opens a login session with its first refresh token; false if the account was disabled, locked or
 * deleted meanwhile. A lock on the account orders this statement and those that bar the account.
 */
export async function openLoginSession(
  db: Queryable,
  session: {
    id: string;
    accountId: string;
    digest: RefreshDigest;
    createdAt: Date;
    expiresAt: Date;
  },
): Promise<boolean> {
  const { rows } = await db.query<{ id: string }>(
    `with account as (
       select id from auth.accounts
       where id = $1::uuid and disabled_at is null and locked_at is null
       for share
     ), session as (
       insert into auth.login_sessions (id, account_id, created_at, expires_at)
       select $5::uuid, id, $3::timestamptz, $4::timestamptz from account
       returning id, account_id
     ), token as (
       insert into auth.refresh_tokens (digest, login_session, created_at, names_session)
       select $2::bytea, id, $3::timestamptz, true from session
     ), audit as (
       insert into auth.audit_log (at, event, account_id, detail)
       select $3::timestamptz, 'login.succeeded', account_id,
              jsonb_build_object('loginSession', id)
       from session
     )
     select id from session`,
    [session.accountId, session.digest, session.createdAt, session.expiresAt, session.id],
  );
  return rows.length > 0;
}

/** The login session of a token that does not name it. */
export async function findLoginSession(
  db: Queryable,
  digest: RefreshDigest,
): Promise<string | undefined> {
  const { rows } = await db.query<{ login_session: string }>(
    "select login_session from auth.refresh_tokens where digest = $1::bytea",
    [digest],
  );
  return rows[0]?.login_session;
}

/**
 * Marks a refresh token as used and stores its successor, in one statement: of two parallel uses
 * one wins. Undefined if the token is unknown, used or too old, or its login session or account is
 * not live.
 *
 * A login session keeps two rows: the valid token and the one used last. Older tokens name their
 * session, so that reuse is detected without a row; tokens of older programs do not, and keep
 * theirs.
 */
export async function rotateRefreshToken(
  db: Queryable,
  rotation: { digest: RefreshDigest; successor: RefreshDigest; now: Date; createdAfter: Date },
): Promise<Principal | undefined> {
  const { rows } = await db.query<{ login_session: string; account_id: string }>(
    `with spent as (
       update auth.refresh_tokens t set used_at = $3::timestamptz
       from auth.live_login_sessions s
       where t.digest = $1::bytea and t.used_at is null and t.created_at > $4::timestamptz
         and s.id = t.login_session and s.expires_at > $3::timestamptz
       returning t.login_session, s.account_id, t.previous
     ), successor as (
       insert into auth.refresh_tokens
         (digest, login_session, created_at, names_session, previous)
       select $2::bytea, login_session, $3::timestamptz, true, $1::bytea from spent
     ), trimmed as (
       delete from auth.refresh_tokens t using spent
       where t.digest = spent.previous and t.names_session
     )
     select login_session, account_id from spent`,
    [rotation.digest, rotation.successor, rotation.now, rotation.createdAfter],
  );
  const [row] = rows;
  return row && { loginSession: row.login_session, accountId: row.account_id };
}

/** Why a login session is revoked. */
export type EndReason =
  /** Its holder signed out, with any refresh token of the family. */
  | "logout"
  /** A used refresh token was presented again: somebody else has a copy. */
  | "refresh-token-reused";

/**
 * Revokes the login session of a refresh token, and with it every datasource token minted in it; a
 * trigger of the table revokes the live streams. Returns whether a session was revoked. For reuse,
 * the token must have been used: its row says so, or it names a login session and has no row any
 * more.
 */
export async function endLoginSession(
  db: Queryable,
  token: PresentedToken,
  reason: EndReason,
  now: Date,
): Promise<boolean> {
  const named = token.kind === "named" ? idsWithTag(token.tag) : undefined;
  const { rows } = await db.query(
    `with target as (
       select t.login_session as id from auth.refresh_tokens t
       where t.digest = $1::bytea
         and (t.used_at is not null or $2::text <> 'refresh-token-reused')
       union all
       select s.id from auth.login_sessions s
       where s.id between $4::uuid and $5::uuid and s.expires_at > $3::timestamptz
         and not exists (select from auth.refresh_tokens t where t.digest = $1::bytea)
     ), ended as (
       update auth.login_sessions s set revoked_at = $3::timestamptz
       from target
       where s.id = target.id and s.revoked_at is null
       returning s.id, s.account_id
     )
     insert into auth.audit_log (at, event, account_id, detail)
     select $3::timestamptz, 'login-session.revoked', account_id,
            jsonb_build_object('loginSession', id, 'reason', $2::text)
     from ended
     returning id`,
    [token.digest, reason, now, named?.lowest, named?.highest],
  );
  return rows.length > 0;
}
