import type { Queryable } from "../../runtime/postgres.ts";
import type { Principal } from "../tokens/access-token.ts";

export type MintAnswer =
  /** The access versions of the datasources that the subject may have, by jti. */
  | { kind: "signed-in"; accessVersions: ReadonlyMap<string, number> }
  /** The login session was revoked or has ended, or the account is disabled or locked. */
  | { kind: "signed-out" };

/**
 * Records the datasource tokens that the subject may have now, before they are signed. Anybody may
 * have those of a public datasource, its readers those of a private one. No principal means
 * anonymous.
 */
export async function recordMintedTokens(
  db: Queryable,
  tokens: {
    wanted: readonly { jti: string; datasource: string }[];
    principal: Principal | undefined;
    now: Date;
    expiresAt: Date;
  },
): Promise<MintAnswer> {
  const { wanted, principal } = tokens;
  const { rows } = await db.query<{
    is_signed_in: boolean;
    jti: string | null;
    access_version: string | null;
  }>(
    `with session as (
       select id, account_id from auth.live_login_sessions
       where account_id = $3::uuid and id = $4::uuid and expires_at > $5::timestamptz
     ), target as (
       select w.jti, d.name, d.access_version
       from unnest($1::uuid[], $2::text[]) as w (jti, datasource)
       join auth.datasources d on d.name = w.datasource
       where d.visibility = 'public' or exists (
         select from auth.datasource_readers r
         join session on session.account_id = r.account_id
         where r.datasource = d.name
         -- Orders this before a removal of the reader, which revokes the tokens minted so far.
         for key share of r
       )
     ), minted as (
       insert into auth.minted_tokens
         (jti, account_id, login_session, datasource, access_version, expires_at)
       select jti, $3::uuid, $4::uuid, name, access_version, $6::timestamptz from target
       where $3::uuid is null or exists (select from session)
     )
     select $3::uuid is null or exists (select from session) as is_signed_in,
            target.jti, target.access_version
     from (values (1)) as always (one) left join target on true`,
    [
      wanted.map(({ jti }) => jti),
      wanted.map(({ datasource }) => datasource),
      principal?.accountId,
      principal?.loginSession,
      tokens.now,
      tokens.expiresAt,
    ],
  );
  if (!rows[0]?.is_signed_in) return { kind: "signed-out" };
  const accessVersions = rows.flatMap(({ jti, access_version }): [string, number][] =>
    jti === null ? [] : [[jti, Number(access_version)]],
  );
  return { kind: "signed-in", accessVersions: new Map(accessVersions) };
}

/**
 * Whether a token, its login session and its account are live, its datasource has the access
 * version that the token was minted for, and its subject may still read it.
 */
export async function isTokenLive(db: Queryable, jti: string): Promise<boolean> {
  const { rows } = await db.query<{ is_live: boolean }>(
    `select exists (
       select from auth.minted_tokens m
       join auth.datasources d on d.name = m.datasource
       where m.jti = $1::uuid and m.revoked_at is null and m.access_version >= d.access_version
         and (d.visibility = 'public' or exists (
           select from auth.datasource_readers r
           where r.datasource = d.name and r.account_id = m.account_id
         ))
         and (m.account_id is null or exists (
           select from auth.live_login_sessions s
           where s.id = m.login_session and s.account_id = m.account_id
         ))
     ) as is_live`,
    [jti],
  );
  return rows[0]?.is_live ?? false;
}

/** What the caller of RevokeToken may know about the token. */
export type RevocableToken =
  /** The access token's login session was revoked or has ended, or its account is barred. */
  | { kind: "signed-out" }
  /** Unknown, or ended so long ago that its row is deleted. */
  | { kind: "not-found" }
  /** `accountId` is null for anonymous tokens. */
  | { kind: "found"; accountId: string | null };

/** Looks up a token for an account; without a principal, for the operator. */
export async function findRevocableToken(
  db: Queryable,
  jti: string,
  principal: Principal | undefined,
  now: Date,
): Promise<RevocableToken> {
  const { rows } = await db.query<{
    is_signed_in: boolean;
    is_found: boolean;
    account_id: string | null;
  }>(
    `select $2::uuid is null or exists (
              select from auth.live_login_sessions s
              where s.account_id = $2::uuid and s.id = $3::uuid
                and s.expires_at > $4::timestamptz
            ) as is_signed_in,
            m.jti is not null as is_found,
            m.account_id
     from (values ($1::uuid)) as wanted (jti)
     left join auth.minted_tokens m on m.jti = wanted.jti`,
    [jti, principal?.accountId, principal?.loginSession, now],
  );
  const [row] = rows;
  if (!row?.is_signed_in) return { kind: "signed-out" };
  return row.is_found ? { kind: "found", accountId: row.account_id } : { kind: "not-found" };
}

/**
 * Revokes a token; a trigger of the table revokes its live streams. A second call changes nothing,
 * and is audited if the operator makes it.
 */
export async function revokeMintedToken(
  db: Queryable,
  jti: string,
  revokedBy: "owner" | "operator",
  now: Date,
): Promise<void> {
  await db.query(
    `with revoked as (
       update auth.minted_tokens set revoked_at = $3::timestamptz
       where jti = $1::uuid and revoked_at is null
       returning jti
     )
     insert into auth.audit_log (at, event, account_id, detail)
     select $3::timestamptz, 'token.revoked', account_id,
            jsonb_build_object('jti', jti, 'datasource', datasource, 'by', $2::text)
              || case when revoked_at is null then '{}' else '{"again": true}' end::jsonb
     from auth.minted_tokens
     where jti = $1::uuid and (revoked_at is null or $2::text = 'operator')`,
    [jti, revokedBy, now],
  );
}
