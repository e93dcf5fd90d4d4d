import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { SigningKey } from "./signing-key.ts";

/** Who signs our tokens. */
const ISSUER = "portcullis";

/** The kinds of tokens. One kind is never accepted in place of another. */
type Audience = "portcullis-api" | "portcullis-realtime" | "portcullis-device";

/** Signs with the first key and accepts the signatures of all of them, so that keys can rotate. */
export type TokenSigner = {
  sign(audience: Audience, claims: JWTPayload, issuedAtMs: number, ttlMs: number): Promise<string>;
  /** The claims of a token for this audience that has not ended; undefined for any other text. */
  verify(audience: Audience, token: string, nowMs: number): Promise<JWTPayload | undefined>;
};

/** Longer than any token of ours. */
const TOKEN_CHARACTERS_MAX = 4_096;

export function createTokenSigner(keys: readonly [SigningKey, ...SigningKey[]]): TokenSigner {
  const [current] = keys;
  const publicKeys = new Map(keys.map((key) => [key.keyId, key.publicKey]));
  return {
    async sign(audience, claims, issuedAtMs, ttlMs) {
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: "EdDSA", typ: "JWT", kid: current.keyId })
        .setIssuer(ISSUER)
        .setAudience(audience)
        .setIssuedAt(wholeSeconds(issuedAtMs))
        .setExpirationTime(wholeSeconds(issuedAtMs + ttlMs))
        .sign(current.privateKey);
    },

    async verify(audience, token, nowMs) {
      if (token.length > TOKEN_CHARACTERS_MAX) return undefined;
      try {
        const { payload } = await jwtVerify(
          token,
          ({ kid }) => {
            const key = publicKeys.get(kid ?? "");
            if (key === undefined) throw new errors.JWKSNoMatchingKey();
            return key;
          },
          {
            algorithms: ["EdDSA"],
            issuer: ISSUER,
            audience,
            currentDate: new Date(nowMs),
            requiredClaims: ["exp", "iat", "sub", "jti"],
          },
        );
        return payload;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

/** When a token with this lifetime ends; claims hold whole seconds. */
export function expiryOf(issuedAtMs: number, ttlMs: number): number {
  return wholeSeconds(issuedAtMs + ttlMs) * 1_000;
}

function wholeSeconds(instantMs: number): number {
  return Math.floor(instantMs / 1_000);
}
