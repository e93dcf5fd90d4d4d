import type { Queryable } from "../../runtime/postgres.ts";

export type Account = {
  id: string;
  passwordHash: string;
  /** Why the account may not sign in; set by an operator. */
  barredBy: "disabled" | "locked" | undefined;
  /** Device tokens of another epoch are void. */
  deviceEpoch: number;
  /** The last login from the network asked about; undefined if that is not a known network. */
  networkUsedAtMs: number | undefined;
};

type AccountRow = {
  id: string;
  password_hash: string;
  is_disabled: boolean;
  is_locked: boolean;
  device_epoch: string;
  network_used_at: Date | null;
};

/**
 * Looks up an account, and whether a network is known for it. Always one statement, so that the
 * time does not tell whether the account exists.
 */
export async function findAccount(
  db: Queryable,
  email: string,
  network: { digests: readonly Buffer[]; usedAfter: Date } = {
    digests: [],
    usedAfter: new Date(0),
  },
): Promise<Account | undefined> {
  const { rows } = await db.query<AccountRow>(
    `select id, password_hash,
            disabled_at is not null as is_disabled,
            locked_at is not null as is_locked,
            device_epoch,
            (select max(n.last_used_at) from auth.known_networks n
             where n.account_id = a.id and n.digest = any($2::bytea[])
               and n.last_used_at > $3::timestamptz) as network_used_at
     from auth.accounts a where email = $1`,
    [email, network.digests, network.usedAfter],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    id: row.id,
    passwordHash: row.password_hash,
    barredBy: row.is_disabled ? "disabled" : row.is_locked ? "locked" : undefined,
    deviceEpoch: Number(row.device_epoch),
    networkUsedAtMs: row.network_used_at?.getTime(),
  };
}

/**
 * Replaces a hash by a stronger one unless the password has changed meanwhile. Devices stay known.
 */
export async function replacePasswordHash(
  db: Queryable,
  account: Pick<Account, "id" | "passwordHash">,
  strongerHash: string,
  now: Date,
): Promise<void> {
  await db.query(
    `update auth.accounts set password_hash = $3, rehashed_at = $4::timestamptz
     where id = $1::uuid and password_hash = $2`,
    [account.id, account.passwordHash, strongerHash, now],
  );
}
