import type { Queryable } from "../../runtime/postgres.ts";
import { findAccount } from "../store/account-store.ts";
import { hashPassword } from "./password-hash.ts";

const DEMO_EMAIL = "demo@portcullis.test";
const DEMO_PASSWORD = "portcullis-demo";

/**
 * Makes the account and the datasources of the README. Only for development; leaves existing rows
 * as they are.
 */
export async function seedDemo(db: Queryable, now: Date): Promise<void> {
  if ((await findAccount(db, DEMO_EMAIL)) === undefined) {
    await db.query(
      `insert into auth.accounts (email, password_hash, created_at)
       values ($1, $2, $3::timestamptz) on conflict (email) do nothing`,
      [DEMO_EMAIL, await hashPassword(DEMO_PASSWORD), now],
    );
  }
  await db.query(
    `insert into auth.datasources (name, visibility, created_at)
     values ('demo', 'public', $1::timestamptz), ('demo-private', 'private', $1::timestamptz)
     on conflict (name) do nothing`,
    [now],
  );
  await db.query(
    `insert into auth.datasource_readers (datasource, account_id)
     select 'demo-private', id from auth.accounts where email = $1
     on conflict do nothing`,
    [DEMO_EMAIL],
  );
}
