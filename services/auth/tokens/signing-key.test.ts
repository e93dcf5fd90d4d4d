import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { createSigningKey, generatePrivateKey, parsePrivateKey } from "./signing-key.ts";

test("parsePrivateKey() reads base64 and base64url alike", () => {
  const text = generatePrivateKey();
  const base64 = Buffer.from(text, "base64url").toString("base64");
  expect(parsePrivateKey(text)?.asymmetricKeyType).toBe("ed25519");
  expect(parsePrivateKey(base64)?.equals(mustParse(text))).toBe(true);
});

test("parsePrivateKey() refuses other keys and other texts", () => {
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const other = p256.export({ format: "der", type: "pkcs8" }).toString("base64");
  for (const text of ["", "not a key", "A".repeat(64), other, generatePrivateKey().slice(4)]) {
    expect(parsePrivateKey(text), text).toBeUndefined();
  }
});

test("createSigningKey() publishes the public half alone, under a stable name", async () => {
  const text = generatePrivateKey();
  const key = await createSigningKey(mustParse(text));
  expect(Object.keys(key.publicJwk).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
  expect(key.publicJwk).toMatchObject({ kid: key.keyId, alg: "EdDSA", crv: "Ed25519" });
  expect((await createSigningKey(mustParse(text))).keyId).toBe(key.keyId);
});

function mustParse(text: string) {
  const key = parsePrivateKey(text);
  if (key === undefined) throw new Error("not a key");
  return key;
}
