import { createHash, randomBytes } from "node:crypto";

/** Nobody guesses 256 bits, so a plain digest of them is as good as a slow one. */
const RANDOM_BYTES = 32;

/** Makes an opaque refresh token; base64url. */
export function generateRefreshToken(): string {
  return randomBytes(RANDOM_BYTES).toString("base64url");
}

const REFRESH_TOKEN = /^[\w-]{43}$/;

/** Whether a text could be a refresh token; nothing else is worth a question to the database. */
export function isRefreshToken(text: string): boolean {
  return REFRESH_TOKEN.test(text);
}

/** Under what a refresh token is stored. */
export function digestRefreshToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
