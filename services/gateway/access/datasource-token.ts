import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import { PUBLIC_SUBJECT } from "./grant.ts";

/** The scope that lets a token open a stream. */
export const STREAM_SCOPE = "datasource:stream";

const ISSUER = "portcullis";
const AUDIENCE = "portcullis-realtime";
/** Pinned: what a token says about its own algorithm is not believed. */
const ALGORITHMS = ["EdDSA"];
/** A token of ours is far shorter; a longer one is not worth the arithmetic. */
const TOKEN_CHARACTERS_MAX = 8_192;

/** What a datasource token says, once its signature is known to be auth's. */
export type TokenClaims = {
  datasource: string;
  subject: string;
  accessVersion: number;
  jti: string;
  /** The key that signed it. */
  keyId: string;
  loginSession: string | undefined;
  issuedAtMs: number;
  expiresAtMs: number;
};

/** What can be said about a token without asking auth about it. */
export type TokenVerdict =
  | { kind: "valid"; claims: TokenClaims }
  | { kind: "expired" }
  | { kind: "invalid" }
  /** Auth's keys could not be had, so nothing can be said. */
  | { kind: "no-keys" };

/** Verifies a datasource token against auth's keys, as of a moment. */
export async function verifyDatasourceToken(
  token: string,
  keys: JWTVerifyGetKey,
  nowMs: number,
): Promise<TokenVerdict> {
  if (token.length > TOKEN_CHARACTERS_MAX) return { kind: "invalid" };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer: ISSUER,
      audience: AUDIENCE,
      currentDate: new Date(nowMs),
    });
    const claims = readClaims(payload, protectedHeader.kid ?? "");
    return claims === undefined ? { kind: "invalid" } : { kind: "valid", claims };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { kind: "expired" };
    return { kind: isAboutToken(error) ? "invalid" : "no-keys" };
  }
}

/** Whether a token says of itself that anybody can have it; nothing is verified by this. */
export function claimsPublic(token: string): boolean {
  if (token.length > TOKEN_CHARACTERS_MAX) return true;
  try {
    return decodeJwt(token).sub === PUBLIC_SUBJECT;
  } catch {
    return true;
  }
}

/** Anything else went wrong on the way to the keys, which is nobody's fault but an outage. */
const TOKEN_ERRORS = [
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSMultipleMatchingKeys,
  errors.JWKSNoMatchingKey,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JWTClaimValidationFailed,
  errors.JWTInvalid,
];

function isAboutToken(error: unknown): boolean {
  return TOKEN_ERRORS.some((kind) => error instanceof kind);
}

function readClaims(payload: JWTPayload, keyId: string): TokenClaims | undefined {
  const { sub, jti, iat, exp, scope, datasource, ver, sid } = payload;
  if (typeof sub !== "string" || typeof jti !== "string" || scope !== STREAM_SCOPE) {
    return undefined;
  }
  if (typeof datasource !== "string" || !isDatasourceName(datasource)) return undefined;
  if (iat === undefined || exp === undefined || typeof ver !== "number") return undefined;
  return {
    datasource,
    subject: sub,
    accessVersion: ver,
    jti,
    keyId,
    loginSession: typeof sid === "string" ? sid : undefined,
    issuedAtMs: iat * 1_000,
    expiresAtMs: exp * 1_000,
  };
}
