import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import { PUBLIC_SUBJECT } from "./grant.ts";

/** The scope that lets a token open a stream. */
export const STREAM_SCOPE = "datasource:stream";

const ISSUER = "portcullis";
const AUDIENCE = "portcullis-realtime";
/** Pinned: the algorithm that a token names is not trusted. */
const ALGORITHMS = ["EdDSA"];
/** Tokens of auth are far shorter; longer ones are refused without a signature check. */
const TOKEN_CHARACTERS_MAX = 8_192;

/** The claims of a datasource token with a valid signature. */
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

/** The result of verifying a token without asking auth. */
export type TokenVerdict =
  | { kind: "valid"; claims: TokenClaims }
  | { kind: "expired" }
  | { kind: "invalid" }
  /** Auth's keys could not be fetched. */
  | { kind: "no-keys" };

/** Verifies a datasource token against auth's keys, at an instant. */
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

/** Whether a token claims to be public, without verifying it. */
export function claimsPublic(token: string): boolean {
  if (token.length > TOKEN_CHARACTERS_MAX) return true;
  try {
    return decodeJwt(token).sub === PUBLIC_SUBJECT;
  } catch {
    return true;
  }
}

/** Every other error means that the keys could not be fetched: an outage. */
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
