import type { Queryable } from "../../runtime/postgres.ts";

// Each function deletes at most `limit` rows that ended before a moment, and returns their number.

export async function deleteMintedTokens(
  db: Queryable,
  before: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from auth.minted_tokens where jti in (
       select jti from auth.minted_tokens where expires_at < $1::timestamptz
       order by expires_at limit $2::int for update skip locked
     )`,
    [before, limit],
  );
  return rowCount ?? 0;
}

/** Notes in the log how far it was trimmed, so that a reader that fell behind learns of the gap. */
export async function deleteRevocations(
  db: Queryable,
  before: Date,
  limit: number,
): Promise<number> {
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

export async function deleteKnownNetworks(
  db: Queryable,
  before: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from auth.known_networks where (account_id, digest) in (
       select account_id, digest from auth.known_networks
       where last_used_at < $1::timestamptz
       order by last_used_at limit $2::int for update skip locked
     )`,
    [before, limit],
  );
  return rowCount ?? 0;
}

export async function trimAuditLog(db: Queryable, before: Date, limit: number): Promise<number> {
  const { rows } = await db.query<{ trimmed: number }>(
    "select auth.trim_audit_log($1::timestamptz, $2::int) as trimmed",
    [before, limit],
  );
  return rows[0]?.trimmed ?? 0;
}
