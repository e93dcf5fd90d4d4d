import { hash } from "node:crypto";
import type { Secret } from "../../runtime/secret.ts";
import { createHmacSha256 } from "./hmac-sha256.ts";
import type { RowId } from "./store.ts";

/** Ids are digests cut to 128 bits: enough that two keys never meet. */
const ID_HEX_CHARACTERS = 32;
/** Tells salts apart, and is too short to find one by it. */
const FINGERPRINT_CHARACTERS = 16;

/** Makes row ids of texts, so that nobody without the salt can tell whose row it is. */
export type KeyedDigest = (text: string) => RowId;

export function createKeyedDigest(salt: Secret): KeyedDigest {
  const hmac = createHmacSha256(salt.reveal());
  return (text) => rowIdFromHex(hmac(Buffer.from(text)));
}

/** A digest without a key, for what is no secret. */
export function plainDigest(text: string): RowId {
  return rowIdFromHex(hash("sha256", text, "hex"));
}

/** Names a salt without revealing it. */
export function saltFingerprint(salt: Secret): string {
  const hmac = createHmacSha256(salt.reveal());
  return hmac(Buffer.from("portcullis salt fingerprint")).slice(0, FINGERPRINT_CHARACTERS);
}

function rowIdFromHex(digest: string): RowId {
  return Buffer.from(digest.slice(0, ID_HEX_CHARACTERS), "hex").toString("latin1");
}
