import type { Queryable } from "../../runtime/postgres.ts";

export type Visibility = "public" | "private";

/**
 * Creates or changes a datasource and answers its access version. The version rises on request and
 * whenever the datasource stops being public, so that no stream that was open to all goes on. The
 * table itself revokes what an older version allowed.
 */
export async function putDatasource(
  db: Queryable,
  change: { name: string; visibility: Visibility; revokesTokens: boolean; now: Date },
): Promise<string> {
  const { rows } = await db.query<{ access_version: string }>(
    `with put as (
       insert into auth.datasources as d (name, visibility, created_at)
       values ($1, $2, $4::timestamptz)
       on conflict (name) do update set
         visibility = excluded.visibility,
         access_version = d.access_version + case
           when $3::boolean or (d.visibility = 'public' and excluded.visibility = 'private') then 1
           else 0
         end
       returning d.name, d.access_version
     ), audit as (
       insert into auth.audit_log (at, event, detail)
       select $4::timestamptz, 'datasource.put', jsonb_build_object(
         'datasource', name, 'visibility', $2::text, 'accessVersion', access_version,
         'revokesTokens', $3::boolean, 'by', 'operator')
       from put
     )
     select access_version from put`,
    [change.name, change.visibility, change.revokesTokens, change.now],
  );
  return rows[0]?.access_version ?? "";
}

/** The access version of a public datasource; undefined for private and unknown ones alike. */
export async function findPublicDatasource(
  db: Queryable,
  name: string,
): Promise<string | undefined> {
  const { rows } = await db.query<{ access_version: string }>(
    `select access_version from auth.datasources where name = $1 and visibility = 'public'`,
    [name],
  );
  return rows[0]?.access_version;
}

/** Of some names, the datasources that there are. */
export async function findDatasources(
  db: Queryable,
  names: readonly string[],
): Promise<{ name: string; visibility: Visibility; accessVersion: string }[]> {
  const { rows } = await db.query<{ name: string; visibility: Visibility; access_version: string }>(
    `select name, visibility, access_version from auth.datasources where name = any ($1::text[])`,
    [names],
  );
  return rows.map(({ access_version: accessVersion, ...rest }) => ({ ...rest, accessVersion }));
}
