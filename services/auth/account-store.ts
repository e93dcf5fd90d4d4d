import type { Queryable } from "../runtime/postgres.ts";

export type Account = {
  id: string;
  passwordHash: string;
  /** Why an operator keeps it from signing in. */
  barredBy: "disabled" | "locked" | undefined;
};

type AccountRow = {
  id: string;
  password_hash: string;
  is_disabled: boolean;
  is_locked: boolean;
};

export async function findAccount(db: Queryable, email: string): Promise<Account | undefined> {
  const { rows } = await db.query<AccountRow>(
    `select id, password_hash,
            disabled_at is not null as is_disabled,
            locked_at is not null as is_locked
     from auth.accounts where email = $1`,
    [email],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const barredBy = row.is_disabled ? "disabled" : row.is_locked ? "locked" : undefined;
  return { id: row.id, passwordHash: row.password_hash, barredBy };
}

/** Strengthens a hash, unless the password has been changed meanwhile. */
export async function replacePasswordHash(
  db: Queryable,
  account: Pick<Account, "id" | "passwordHash">,
  strongerHash: string,
): Promise<void> {
  await db.query(
    `update auth.accounts set password_hash = $3
     where id = $1::uuid and password_hash = $2`,
    [account.id, account.passwordHash, strongerHash],
  );
}
