import { hashPassword } from "../../../services/auth/login/password-hash.ts";
import { runSql } from "../../fixtures/postgres.ts";

/** A user with an account, an address and a device. */
export type HonestUser = {
  email: string;
  /** The header that the proxy in front sends. */
  address: string;
  password: string;
  accessToken: string;
  refreshToken: string;
  /** The token by which auth knows the device; undefined for users known by their network. */
  deviceToken: string | undefined;
};

const PASSWORD = "a password of honest people";

/**
 * Creates accounts that may read `demo-private`. Every second one has an IPv6 address, and half of
 * them keep a device token.
 */
export async function createHonestUsers(databaseUrl: string, count: number): Promise<HonestUser[]> {
  const emails = Array.from({ length: count }, (_, index) => emailOf(index));
  await runSql(
    databaseUrl,
    `with account as (
       insert into auth.accounts (email, password_hash, created_at)
       select email, $2::text, now() from unnest($1::text[]) as email
       returning id
     )
     insert into auth.datasource_readers (datasource, account_id)
     select 'demo-private', id from account`,
    [emails, await hashPassword(PASSWORD)],
  );
  return emails.map((email, index) => ({
    email,
    address: index % 2 === 0 ? `198.51.100.${index + 1}` : `2001:db8:${index.toString(16)}::7`,
    password: PASSWORD,
    accessToken: "",
    refreshToken: "",
    deviceToken: index % 4 < 2 ? "" : undefined,
  }));
}

/** The account of an honest user, by its index. */
export function emailOf(index: number): string {
  return `honest-${index}@siege.test`;
}

/** The users whose accounts attackers know. */
export const OWNERS = 4;
