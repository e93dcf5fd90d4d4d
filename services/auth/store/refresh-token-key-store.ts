import type { Queryable } from "../../runtime/postgres.ts";

/** The key of the refresh tokens' checksums. A migration made it, so all replicas share it. */
export async function loadRefreshTokenKey(db: Queryable): Promise<Buffer> {
  const { rows } = await db.query<{ secret: Buffer }>("select secret from auth.refresh_token_key");
  const [row] = rows;
  if (row === undefined) throw new Error("auth.refresh_token_key has lost its row");
  return row.secret;
}
