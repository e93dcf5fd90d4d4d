import type { Queryable } from "../../runtime/postgres.ts";
import type { Secret } from "../../runtime/secret.ts";
import { saltFingerprint } from "./key-digest.ts";

type SaltRow = { fingerprint: string; age_ms: string };

/**
 * Refuses salts under which the buckets in the database would not be found, so that nobody gets
 * fresh limits by accident. Salts change in three steps: the old one; the new one and the old
 * one, for at least the longest period of a policy; the new one.
 */
export async function checkSalts(
  db: Queryable,
  salts: readonly Secret[],
  longestPeriodMs: number,
): Promise<void> {
  const fingerprints = salts.map(saltFingerprint);
  const known = await findSalts(db);
  const isKnown = (fingerprint: string) => known.some((row) => row.fingerprint === fingerprint);
  if (known.length > 0 && !fingerprints.some(isKnown)) {
    throw new Error(
      "SECURITY_LIMITER_HASH_SALT is not the one the buckets in this database were made with; " +
        "to change it, give the new and the old one, separated by a comma",
    );
  }
  const missing = known.filter((row) => !fingerprints.includes(row.fingerprint));
  const ages = known.filter((row) => fingerprints.includes(row.fingerprint));
  const oldestGivenMs = Math.max(...ages.map((row) => Number(row.age_ms)));
  for (const row of missing) {
    // What was given up must not count any more, and what is new must not have been relied on yet.
    const sinceChangeMs = Math.min(Number(row.age_ms), oldestGivenMs);
    const isOld = Number(row.age_ms) > oldestGivenMs;
    if (isOld === sinceChangeMs < longestPeriodMs) {
      throw new Error(
        isOld
          ? "SECURITY_LIMITER_HASH_SALT leaves out an older salt whose buckets still count"
          : "SECURITY_LIMITER_HASH_SALT leaves out a newer salt that others rely on by now",
      );
    }
  }
  await addSalts(db, fingerprints);
}

async function findSalts(db: Queryable): Promise<SaltRow[]> {
  const result = await db.query<SaltRow>(
    `select s.fingerprint,
       floor(date_part('epoch', clock_timestamp() - s.first_used_at) * 1000)::bigint::text as age_ms
     from limiter.salts s`,
  );
  return result.rows;
}

async function addSalts(db: Queryable, fingerprints: readonly string[]): Promise<void> {
  await db.query(
    `insert into limiter.salts (fingerprint)
     select n.fingerprint from unnest($1::text[]) as n (fingerprint)
     on conflict (fingerprint) do nothing`,
    [fingerprints],
  );
}
