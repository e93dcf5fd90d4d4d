import { decodeProtectedHeader, SignJWT } from "jose";
import { expect, test } from "vitest";
import { signAccessToken, verifyAccessToken } from "./access-token.ts";
import { signDatasourceToken, verifyDatasourceToken } from "./datasource-token.ts";
import { createTokenSigner } from "./signed-token.ts";
import { createSigningKey, generatePrivateKey, parsePrivateKey } from "./signing-key.ts";

const ACCOUNT = "0b0e7ad6-7a3c-4f7e-9a59-0d4e3c1c2b1a";
const SESSION = "5d1fd3f2-6f0d-4c43-8a9e-3a1c93e0f2a7";
const JTI = "f3f1a1de-3c07-4a37-a6a3-6c6d8a3a4f11";
const NOW_MS = 1_700_000_000_500;
const principal = { accountId: ACCOUNT, loginSession: SESSION };
const claims = {
  jti: JTI,
  subject: ACCOUNT,
  datasource: "demo",
  accessVersion: 3,
  loginSession: SESSION,
};

test("signAccessToken() signs what verifyAccessToken() reads until its end", async () => {
  const { signer } = await setup();
  const { token, expiresAtMs } = await signAccessToken(signer, principal, NOW_MS, 600_000);
  expect(expiresAtMs).toBe(1_700_000_600_000);
  expect(await verifyAccessToken(signer, token, expiresAtMs - 1)).toEqual(principal);
  expect(await verifyAccessToken(signer, token, expiresAtMs)).toBeUndefined();
});

test("signDatasourceToken() signs what verifyDatasourceToken() reads until its end", async () => {
  const { signer } = await setup();
  const token = await signDatasourceToken(signer, claims, NOW_MS, 300_000);
  const expected = { ...claims, expiresAtMs: 1_700_000_300_000 };
  expect(await verifyDatasourceToken(signer, token, NOW_MS)).toEqual(expected);
  expect(await verifyDatasourceToken(signer, token, expected.expiresAtMs)).toBeUndefined();
});

test("verify() never takes one kind of token for the other", async () => {
  const { signer } = await setup();
  const access = await signAccessToken(signer, principal, NOW_MS, 600_000);
  const datasource = await signDatasourceToken(signer, claims, NOW_MS, 300_000);
  expect(await verifyDatasourceToken(signer, access.token, NOW_MS)).toBeUndefined();
  expect(await verifyAccessToken(signer, datasource, NOW_MS)).toBeUndefined();
});

test("createTokenSigner() signs with the first key and accepts the second", async () => {
  const { signer, first, second } = await setup();
  const old = await signAccessToken(createTokenSigner([second]), principal, NOW_MS, 600_000);
  const stranger = await signAccessToken((await setup()).signer, principal, NOW_MS, 600_000);
  const fresh = await signAccessToken(signer, principal, NOW_MS, 600_000);
  expect(decodeProtectedHeader(fresh.token)).toEqual({
    alg: "EdDSA",
    typ: "JWT",
    kid: first.keyId,
  });
  expect(await verifyAccessToken(signer, old.token, NOW_MS)).toEqual(principal);
  expect(await verifyAccessToken(signer, stranger.token, NOW_MS)).toBeUndefined();
});

test("verify() refuses noise, tampering, other algorithms and tokens of other issuers", async () => {
  const { signer, first } = await setup();
  const { token } = await signAccessToken(signer, principal, NOW_MS, 600_000);
  const [header = "", payload = "", signature = ""] = token.split(".");
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  const symmetric = await new SignJWT({ sub: ACCOUNT, sid: SESSION, jti: JTI })
    .setProtectedHeader({ alg: "HS256", kid: first.keyId })
    .setIssuer("portcullis")
    .setAudience("portcullis-api")
    .setIssuedAt(NOW_MS / 1_000)
    .setExpirationTime(NOW_MS / 1_000 + 60)
    .sign(Buffer.from(first.publicJwk.x ?? "", "base64url"));
  const foreign = await new SignJWT({ sub: ACCOUNT, sid: SESSION, jti: JTI })
    .setProtectedHeader({ alg: "EdDSA", kid: first.keyId })
    .setIssuer("elsewhere")
    .setAudience("portcullis-api")
    .setIssuedAt(NOW_MS / 1_000)
    .setExpirationTime(NOW_MS / 1_000 + 60)
    .sign(first.privateKey);
  const tampered = Buffer.from(payload, "base64url")
    .toString()
    .replace(ACCOUNT[0] ?? "", "1");
  const bad = [
    "",
    "a.b.c",
    "x".repeat(5_000),
    `${header}.${payload}.`,
    `${none}.${payload}.`,
    `${header}.${Buffer.from(tampered).toString("base64url")}.${signature}`,
    symmetric,
    foreign,
  ];
  for (const text of bad) {
    expect(await verifyAccessToken(signer, text, NOW_MS), text).toBeUndefined();
  }
});

async function setup() {
  const first = await createSigningKey(newKey());
  const second = await createSigningKey(newKey());
  return { signer: createTokenSigner([first, second]), first, second };
}

function newKey() {
  const key = parsePrivateKey(generatePrivateKey());
  if (key === undefined) throw new Error("not a key");
  return key;
}
