import type { Queryable } from "../../runtime/postgres.ts";

/** More networks than one person uses; the least recently used makes room. */
const KNOWN_NETWORKS_MAX = 20;
/** A network that is not used for this time is no longer known. */
export const KNOWN_NETWORK_TTL_MS = 90 * 24 * 60 * 60 * 1_000;
/** The precision of the last use, so that most logins need not write it. */
export const KNOWN_NETWORK_USE_MS = 24 * 60 * 60 * 1_000;

/** Remembers the network of a login, and deletes the account's networks beyond the bound. */
export async function storeKnownNetwork(
  db: Queryable,
  accountId: string,
  digest: Buffer,
  now: Date,
): Promise<void> {
  await db.query(
    `with remembered as (
       insert into auth.known_networks (account_id, digest, last_used_at)
       values ($1::uuid, $2::bytea, $3::timestamptz)
       on conflict (account_id, digest) do update set last_used_at = excluded.last_used_at
     )
     delete from auth.known_networks where account_id = $1::uuid and digest in (
       select digest from auth.known_networks
       where account_id = $1::uuid and digest <> $2::bytea
       order by last_used_at desc offset $4::int
     )`,
    [accountId, digest, now, KNOWN_NETWORKS_MAX - 1],
  );
}
