import { createHmac, hkdfSync } from "node:crypto";
import type { SigningKey } from "../tokens/signing-key.ts";

/** 128 bits: enough that two networks of an account never meet. */
const DIGEST_BYTES = 16;
const KEY_BYTES = 32;

/** Names the network of an account without revealing network or account. */
export type NetworkDigests = {
  /** The digest under each live key; that of the signing key first. */
  of(email: string, network: string): readonly [Buffer, ...Buffer[]];
};

/**
 * Derives the keys from the signing keys, which outside development are not in the database.
 * Networks whose key is rotated out are strangers until they sign in again.
 */
export function createNetworkDigests(
  signingKeys: readonly [SigningKey, ...SigningKey[]],
): NetworkDigests {
  const [first, ...others] = signingKeys;
  const firstKey = deriveKey(first);
  const otherKeys = others.map(deriveKey);
  return {
    of(email, network) {
      const text = `${email} ${network}`;
      return [digest(firstKey, text), ...otherKeys.map((key) => digest(key, text))];
    },
  };
}

function deriveKey({ privateKey }: SigningKey): Buffer {
  const seed = privateKey.export({ format: "der", type: "pkcs8" });
  return Buffer.from(hkdfSync("sha256", seed, "", "portcullis known networks", KEY_BYTES));
}

function digest(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest().subarray(0, DIGEST_BYTES);
}
