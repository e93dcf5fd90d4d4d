import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  type JWTPayload,
  type JWTVerifyGetKey,
  SignJWT,
} from "jose";
import { expect, test } from "vitest";
import { verifyDatasourceToken } from "./datasource-token.ts";

const NOW_MS = 1_700_000_000_000;
const NOW_S = NOW_MS / 1_000;

test("verifyDatasourceToken() reads the claims of auth's tokens", async () => {
  const { keys, sign } = await setup();
  expect(await verifyDatasourceToken(await sign(), keys, NOW_MS)).toEqual({
    kind: "valid",
    claims: {
      datasource: "demo-private",
      subject: "account-1",
      accessVersion: 2,
      jti: "jti-1",
      keyId: "key-1",
      loginSession: "session-1",
      issuedAtMs: NOW_MS,
      expiresAtMs: NOW_MS + 300_000,
    },
  });
});

test("verifyDatasourceToken() calls a token expired from the millisecond on that it names", async () => {
  const { keys, sign } = await setup();
  const token = await sign();
  expect(await verifyDatasourceToken(token, keys, NOW_MS + 299_999)).toMatchObject({
    kind: "valid",
  });
  expect(await verifyDatasourceToken(token, keys, NOW_MS + 300_000)).toEqual({ kind: "expired" });
});

test("verifyDatasourceToken() refuses everything that is not auth's or not for the gateway", async () => {
  const { keys, sign } = await setup();
  const stranger = await setup();
  const [header = "", payload = "", signature = ""] = (await sign()).split(".");
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  const hmac = Buffer.from('{"alg":"HS256","kid":"key-1"}').toString("base64url");
  const tokens: [string, string][] = [
    ["garbage", "garbage"],
    ["nothing", ""],
    ["a stranger's signature", await stranger.sign()],
    ["no signature", `${none}.${payload}.`],
    ["another algorithm", `${hmac}.${payload}.${signature}`],
    ["a changed payload", `${header}.${payload.slice(0, -2)}AA.${signature}`],
    ["another issuer", await sign({ iss: "somebody" })],
    ["another audience", await sign({ aud: "portcullis-api" })],
    ["another scope", await sign({ scope: "datasource:admin" })],
    ["no scope", await sign({ scope: undefined })],
    ["no end", await sign({ exp: undefined })],
    ["no id", await sign({ jti: undefined })],
    ["no datasource", await sign({ datasource: undefined })],
    ["a bad datasource", await sign({ datasource: "Demo Private" })],
    ["no access version", await sign({ ver: undefined })],
    ["an access version in words", await sign({ ver: "two" })],
    ["far too long", await sign({ filler: "x".repeat(9_000) })],
  ];
  for (const [what, token] of tokens) {
    expect(await verifyDatasourceToken(token, keys, NOW_MS), what).toEqual({ kind: "invalid" });
  }
});

test("verifyDatasourceToken() says nothing about a token when there are no keys", async () => {
  const { sign } = await setup();
  const noKeys: JWTVerifyGetKey = () => Promise.reject(new TypeError("fetch failed"));
  expect(await verifyDatasourceToken(await sign(), noKeys, NOW_MS)).toEqual({ kind: "no-keys" });
});

async function setup() {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "key-1", alg: "EdDSA", use: "sig" };
  const claims: JWTPayload = {
    iss: "portcullis",
    aud: "portcullis-realtime",
    sub: "account-1",
    scope: "datasource:stream",
    datasource: "demo-private",
    ver: 2,
    sid: "session-1",
    jti: "jti-1",
    iat: NOW_S,
    exp: NOW_S + 300,
  };
  const sign = (changes: Record<string, unknown> = {}) =>
    new SignJWT({ ...claims, ...changes })
      .setProtectedHeader({ alg: "EdDSA", kid: "key-1" })
      .sign(privateKey);
  return { keys: createLocalJWKSet({ keys: [jwk] }), sign };
}
