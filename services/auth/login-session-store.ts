import type { Queryable } from "../runtime/postgres.ts";
import type { Principal } from "./access-token.ts";

/** Only the digest of a refresh token is ever stored. */
export type RefreshDigest = Buffer;

/**
 * Opens a login session with its first refresh token; undefined when the account was disabled,
 * locked or deleted meanwhile. The lock on the account makes the two follow each other.
 */
export async function openLoginSession(
  db: Queryable,
  session: { accountId: string; digest: RefreshDigest; createdAt: Date; expiresAt: Date },
): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string }>(
    `with account as (
       select id from auth.accounts
       where id = $1::uuid and disabled_at is null and locked_at is null
       for share
     ), session as (
       insert into auth.login_sessions (account_id, created_at, expires_at)
       select id, $3::timestamptz, $4::timestamptz from account
       returning id, account_id
     ), token as (
       insert into auth.refresh_tokens (digest, login_session, created_at)
       select $2::bytea, id, $3::timestamptz from session
     ), audit as (
       insert into auth.audit_log (at, event, account_id, detail)
       select $3::timestamptz, 'login.succeeded', account_id,
              jsonb_build_object('loginSession', id)
       from session
     )
     select id from session`,
    [session.accountId, session.digest, session.createdAt, session.expiresAt],
  );
  return rows[0]?.id;
}

/**
 * Spends a refresh token and stores its successor, in one statement: of two uses at once one wins.
 * Undefined when it is unknown, used or too old, or its login session or account is not live.
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
       returning t.login_session, s.account_id
     ), successor as (
       insert into auth.refresh_tokens (digest, login_session, created_at)
       select $2::bytea, login_session, $3::timestamptz from spent
     )
     select login_session, account_id from spent`,
    [rotation.digest, rotation.successor, rotation.now, rotation.createdAfter],
  );
  const [row] = rows;
  return row && { loginSession: row.login_session, accountId: row.account_id };
}

/** Why a login session ends before its time. */
export type EndReason =
  /** Its holder signed out, with any refresh token of the family. */
  | "logout"
  /** A used refresh token came back: somebody else has a copy of one. */
  | "refresh-token-reused";

/**
 * Revokes the login session of a refresh token, and with it every datasource token minted in it.
 * Answers whether there was anything to end. For reuse, the token must have been used.
 */
export async function endLoginSession(
  db: Queryable,
  digest: RefreshDigest,
  reason: EndReason,
  now: Date,
): Promise<boolean> {
  const { rows } = await db.query(
    `with ended as (
       update auth.login_sessions s set revoked_at = $3::timestamptz
       from auth.refresh_tokens t
       where t.digest = $1::bytea and s.id = t.login_session and s.revoked_at is null
         and (t.used_at is not null or $2::text <> 'refresh-token-reused')
       returning s.id, s.account_id
     ), audit as (
       insert into auth.audit_log (at, event, account_id, detail)
       select $3::timestamptz, 'login-session.revoked', account_id,
              jsonb_build_object('loginSession', id, 'reason', $2::text)
       from ended
     )
     select auth.append_revocation('login-session', id::text, $3::timestamptz) from ended`,
    [digest, reason, now],
  );
  return rows.length > 0;
}
