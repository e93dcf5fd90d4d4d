import { hashPassword } from "../../../services/auth/login/password-hash.ts";
import { runSql } from "../../fixtures/postgres.ts";

/** Somebody with an account, an address and a device. */
export type HonestUser = {
  email: string;
  /** What the proxy in front of the services says. */
  address: string;
  password: string;
  accessToken: string;
  refreshToken: string;
  /** By which auth knows the device; undefined for users who are known by their network. */
  deviceToken: string | undefined;
};

const PASSWORD = "a password of honest people";

/**
 * Makes accounts that may read `demo-private`. Every second one is at an IPv6 address, and half of
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

/** The account that belongs to an honest user, by its place in the list. */
export function emailOf(index: number): string {
  return `honest-${index}@siege.test`;
}

/** Users whose accounts attackers know. */
export const OWNERS = 4;
