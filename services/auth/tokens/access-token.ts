import { randomUUID } from "node:crypto";
import { expiryOf, type TokenSigner } from "./signed-token.ts";
import { isUuid } from "./uuid.ts";

/** Who is signed in, and in which login session. */
export type Principal = { accountId: string; loginSession: string };

export type AccessToken = { token: string; expiresAtMs: number };

export async function signAccessToken(
  signer: TokenSigner,
  principal: Principal,
  issuedAtMs: number,
  ttlMs: number,
): Promise<AccessToken> {
  const claims = { sub: principal.accountId, sid: principal.loginSession, jti: randomUUID() };
  const token = await signer.sign("portcullis-api", claims, issuedAtMs, ttlMs);
  return { token, expiresAtMs: expiryOf(issuedAtMs, ttlMs) };
}

/**
 * Returns the principal of an access token; undefined if it is none, or has ended. Only the store
 * knows whether its login session was revoked since.
 */
export async function verifyAccessToken(
  signer: TokenSigner,
  token: string,
  nowMs: number,
): Promise<Principal | undefined> {
  const claims = await signer.verify("portcullis-api", token, nowMs);
  const { sub, sid } = claims ?? {};
  return isUuid(sub) && isUuid(sid) ? { accountId: sub, loginSession: sid } : undefined;
}
