import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK } from "jose";

/** A key that signs tokens, named by the RFC 7638 thumbprint of its public half. */
export type SigningKey = {
  keyId: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  /** As published; without the private half. */
  publicJwk: JWK;
};

/** Base64 or base64url; a PKCS #8 Ed25519 key takes 64 characters. */
const BASE64 = /^[A-Za-z0-9+/_-]{32,512}={0,2}$/;

/**
 * Reads an Ed25519 private key from base64 of its PKCS #8 DER, as printed by
 * `openssl genpkey -algorithm ed25519 -outform der | base64 -w0`. Undefined for anything else.
 */
export function parsePrivateKey(text: string): KeyObject | undefined {
  if (!BASE64.test(text)) return undefined;
  try {
    const der = Buffer.from(text, "base64url");
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Makes a private key in the form that `parsePrivateKey` reads. */
export function generatePrivateKey(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey.export({ format: "der", type: "pkcs8" }).toString("base64url");
}

export async function createSigningKey(privateKey: KeyObject): Promise<SigningKey> {
  const publicKey = createPublicKey(privateKey);
  // In an order of our own: Node's differs between its versions, and the route's bytes must not.
  const { crv = "", x = "", kty = "" } = await exportJWK(publicKey);
  const jwk = { crv, x, kty };
  const keyId = await calculateJwkThumbprint(jwk);
  return {
    keyId,
    privateKey,
    publicKey,
    publicJwk: { ...jwk, kid: keyId, alg: "EdDSA", use: "sig" },
  };
}
