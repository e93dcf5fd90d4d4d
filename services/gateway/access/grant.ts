/** The subject of a grant that belongs to no account. */
export const PUBLIC_SUBJECT = "public";

/** Entitles a session to a datasource, until it expires or is revoked. */
export type Grant = {
  datasource: string;
  /** The account, or `public`. */
  subject: string;
  /** The datasource's access version that the grant was made for. */
  accessVersion: number;
  /** Unset when the datasource is public and no token was shown. */
  token?: TokenGrant;
  /** The revocations known when auth was asked; later ones must still be checked. */
  heardUntil: number;
};

/** The parts of a datasource token that decide when the grant ends. */
type TokenGrant = {
  /** The token itself, to ask again when revocations may have been missed. */
  text: string;
  jti: string;
  keyId: string;
  /** The login session it was minted in; unset for anonymous ones. */
  loginSession?: string | undefined;
  issuedAtMs: number;
  expiresAtMs: number;
};

/** Whether a grant is still valid at this instant. Checked before every update. */
export function isUnexpired(grant: Grant, nowMs: number): boolean {
  return grant.token === undefined || nowMs < grant.token.expiresAtMs;
}

/**
 * Whether a grant lasts longer than another one of the same subject. Grants of an older access
 * version end with the next revocation.
 */
export function lastsLonger(grant: Grant, other: Grant): boolean {
  if (grant.accessVersion !== other.accessVersion) return grant.accessVersion > other.accessVersion;
  return endMsOf(grant) > endMsOf(other);
}

function endMsOf({ token }: Grant): number {
  return token?.expiresAtMs ?? Number.POSITIVE_INFINITY;
}
