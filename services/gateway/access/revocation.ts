import type { Grant } from "./grant.ts";

/** Something that auth revoked. */
export type Revocation =
  | { kind: "jti"; jti: string }
  | { kind: "login-session"; loginSession: string }
  /** Every token that the key has signed. */
  | { kind: "key"; keyId: string }
  /** Every token of the account that was issued before this second. */
  | { kind: "account"; account: string; issuedBeforeMs: number }
  /** Every grant for an older access version of the datasource. */
  | { kind: "datasource"; datasource: string; accessVersion: number };

/**
 * Reads one event of auth's revocation feed; undefined if it is malformed or of an unknown kind.
 */
export function readRevocation(kind: string, value: string): Revocation | undefined {
  if (value === "") return undefined;
  if (kind === "jti") return { kind, jti: value };
  if (kind === "login-session") return { kind, loginSession: value };
  if (kind === "key") return { kind, keyId: value };
  const parts = /^(.+):(\d{1,15})$/.exec(value);
  const [, name = "", digits = ""] = parts ?? [];
  if (parts === null) return undefined;
  if (kind === "account") {
    return { kind, account: name, issuedBeforeMs: Number(digits) * 1_000 };
  }
  if (kind === "datasource") return { kind, datasource: name, accessVersion: Number(digits) };
  return undefined;
}

/** Whether a revocation ends a grant. */
export function revokes(revocation: Revocation, grant: Grant): boolean {
  switch (revocation.kind) {
    case "jti":
      return grant.token?.jti === revocation.jti;
    case "login-session":
      return grant.token?.loginSession === revocation.loginSession;
    case "key":
      return grant.token?.keyId === revocation.keyId;
    case "account":
      return (
        grant.subject === revocation.account &&
        grant.token !== undefined &&
        grant.token.issuedAtMs < revocation.issuedBeforeMs
      );
    case "datasource":
      return (
        grant.datasource === revocation.datasource && grant.accessVersion < revocation.accessVersion
      );
  }
}

/** The index key of all grants that a revocation could end. */
export function keyOfRevocation(revocation: Revocation): string {
  switch (revocation.kind) {
    case "jti":
      return `jti ${revocation.jti}`;
    case "login-session":
      return `login-session ${revocation.loginSession}`;
    case "key":
      return `key ${revocation.keyId}`;
    case "account":
      return `account ${revocation.account}`;
    case "datasource":
      return `datasource ${revocation.datasource}`;
  }
}

/** Every index key that leads to a grant. */
export function keysOfGrant(grant: Grant): string[] {
  const keys = [`datasource ${grant.datasource}`];
  if (grant.token === undefined) return keys;
  const { jti, keyId } = grant.token;
  keys.push(`jti ${jti}`, `key ${keyId}`, `account ${grant.subject}`);
  if (grant.token.loginSession !== undefined) {
    keys.push(`login-session ${grant.token.loginSession}`);
  }
  return keys;
}
