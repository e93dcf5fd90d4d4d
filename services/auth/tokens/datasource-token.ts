import type { TokenSigner } from "./signed-token.ts";
import { isUuid } from "./uuid.ts";

/** What every datasource token allows. */
export const DATASOURCE_SCOPE = "datasource:stream";
/** The subject of tokens minted without a sign-in. No account has this id. */
export const PUBLIC_SUBJECT = "public";

/** What a datasource token says. */
export type DatasourceClaims = {
  jti: string;
  /** An account id, or `public`. */
  subject: string;
  datasource: string;
  /** The access version of the datasource when it was minted. */
  accessVersion: number;
  /** The login session it was minted in; undefined for `public`. */
  loginSession: string | undefined;
};

export async function signDatasourceToken(
  signer: TokenSigner,
  claims: DatasourceClaims,
  issuedAtMs: number,
  ttlMs: number,
): Promise<string> {
  const payload = {
    jti: claims.jti,
    sub: claims.subject,
    scope: DATASOURCE_SCOPE,
    datasource: claims.datasource,
    ver: claims.accessVersion,
    ...(claims.loginSession === undefined ? {} : { sid: claims.loginSession }),
  };
  return await signer.sign("portcullis-realtime", payload, issuedAtMs, ttlMs);
}

/**
 * Returns the claims of a datasource token that has not ended at a moment; undefined for any other
 * text. Only the store knows whether it was revoked.
 */
export async function verifyDatasourceToken(
  signer: TokenSigner,
  token: string,
  nowMs: number,
): Promise<(DatasourceClaims & { expiresAtMs: number }) | undefined> {
  const payload = await signer.verify("portcullis-realtime", token, nowMs);
  if (payload?.["scope"] !== DATASOURCE_SCOPE) return undefined;
  const { jti, sub, exp, sid, datasource, ver: accessVersion } = payload;
  if (!isUuid(jti) || typeof sub !== "string" || typeof exp !== "number") return undefined;
  if (typeof datasource !== "string" || typeof accessVersion !== "number") return undefined;
  return {
    jti,
    subject: sub,
    datasource,
    accessVersion,
    loginSession: isUuid(sid) ? sid : undefined,
    expiresAtMs: exp * 1_000,
  };
}
