import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/**
 * A refresh token is 32 bytes in base64url: the start of its login session's id, 128 random bits,
 * and a keyed checksum of both. Nobody without the key can make a valid checksum, so noise is told
 * from tokens without the database. Older programs issued 32 random bytes in the same form.
 */
const TAG_BYTES = 8;
const RANDOM_BYTES = 16;
const CHECKSUM_BYTES = 8;

const REFRESH_TOKEN = /^[\w-]{43}$/;

/** The start of a login session's id: 60 random bits, so that no two live ones share it. */
export type SessionTag = Buffer;

/** What a presented text is. */
export type ReadToken =
  /** A token of this login session; only the store knows whether it is still valid. */
  | { kind: "named"; digest: Buffer; tag: SessionTag }
  /** A token of an older program, or noise. */
  | { kind: "unnamed"; digest: Buffer }
  | { kind: "noise" };

/** Makes and reads refresh tokens under one key. */
export type RefreshTokens = {
  generate(tag: SessionTag): { token: string; digest: Buffer };
  read(text: string): ReadToken;
};

export function createRefreshTokens(key: Buffer): RefreshTokens {
  const checksum = (bytes: Buffer) =>
    createHmac("sha256", key).update(bytes).digest().subarray(0, CHECKSUM_BYTES);
  return {
    generate(tag) {
      const bytes = Buffer.concat([tag, randomBytes(RANDOM_BYTES)]);
      const token = Buffer.concat([bytes, checksum(bytes)]).toString("base64url");
      return { token, digest: digestOf(token) };
    },

    read(text) {
      if (!REFRESH_TOKEN.test(text)) return { kind: "noise" };
      const digest = digestOf(text);
      const bytes = Buffer.from(text, "base64url");
      const body = bytes.subarray(0, TAG_BYTES + RANDOM_BYTES);
      // The last character has spare bits: other spellings decode to the same bytes.
      const isOurs =
        bytes.toString("base64url") === text &&
        timingSafeEqual(bytes.subarray(body.length), checksum(body));
      if (!isOurs) return { kind: "unnamed", digest };
      return { kind: "named", digest, tag: body.subarray(0, TAG_BYTES) };
    },
  };
}

export function tagOf(loginSession: string): SessionTag {
  return Buffer.from(loginSession.replaceAll("-", ""), "hex").subarray(0, TAG_BYTES);
}

/** The lowest and the highest id that a login session with this tag can have. */
export function idsWithTag(tag: SessionTag): { lowest: string; highest: string } {
  const hex = tag.toString("hex");
  const start = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12)}`;
  return { lowest: `${start}-0000-000000000000`, highest: `${start}-ffff-ffffffffffff` };
}

/** The key under which a refresh token is stored: nobody guesses 128 bits, so a plain digest. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
