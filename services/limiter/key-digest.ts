import { createHash, createHmac } from "node:crypto";
import type { Secret } from "../runtime/secret.ts";
import type { RowId } from "./store.ts";

/** Ids are digests cut to 128 bits: enough that two keys never meet. */
const ID_BYTES = 16;
/** Tells salts apart, and is too short to find one by it. */
const FINGERPRINT_CHARACTERS = 16;

/** A keyed digest, so that nobody without the salt can tell whose row it is. */
export function keyedDigest(salt: Secret, text: string): RowId {
  return createHmac("sha256", salt.reveal()).update(text).digest().toString("latin1", 0, ID_BYTES);
}

/** A digest without a key, for what is no secret. */
export function plainDigest(text: string): RowId {
  return createHash("sha256").update(text).digest().toString("latin1", 0, ID_BYTES);
}

/** Names a salt without revealing it. */
export function saltFingerprint(salt: Secret): string {
  return createHmac("sha256", salt.reveal())
    .update("portcullis salt fingerprint")
    .digest("hex")
    .slice(0, FINGERPRINT_CHARACTERS);
}
