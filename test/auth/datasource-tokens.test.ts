import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Visibility } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { runSql } from "../fixtures/postgres.ts";
import { DEMO_ACCOUNT, type System, TOKENS } from "../fixtures/services.ts";
import {
  callInternal,
  connectTo,
  createAccount,
  rejection,
  signIn,
  startAuthSystem,
} from "./auth-system.ts";

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
});
afterAll(async () => {
  await system.stop();
});

test("MintToken signs a short token that anybody can verify with the published keys", async () => {
  const account = await createAccount(system.databaseUrl);
  const { datasources } = await signIn(system.urls.auth, account);
  const minted = await datasources.mintToken({ datasource: "demo-private" });
  const keys = createRemoteJWKSet(new URL(`${system.urls.auth}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jwtVerify(minted.token, keys, {
    issuer: "portcullis",
    audience: "portcullis-realtime",
    algorithms: ["EdDSA"],
  });
  expect(protectedHeader.kid).toMatch(/^[\w-]{43}$/);
  expect(payload).toEqual({
    iss: "portcullis",
    aud: "portcullis-realtime",
    sub: account.id,
    sid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    scope: "datasource:stream",
    datasource: "demo-private",
    ver: 1,
    iat: expect.any(Number),
    exp: Number(payload.iat) + 300,
  });
  expect(minted.expiresAt && timestampMs(minted.expiresAt)).toBe(Number(payload.exp) * 1_000);
});

test("/.well-known/jwks.json publishes public halves and may be cached", async () => {
  const response = await fetch(`${system.urls.auth}/.well-known/jwks.json`);
  expect(response.headers.get("cache-control")).toBe("public, max-age=300");
  expect(await response.json()).toEqual({
    keys: [
      {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        use: "sig",
        kid: expect.any(String),
        x: expect.any(String),
      },
    ],
  });
});

test("MintToken needs no sign-in for a public datasource, and tells who has signed in", async () => {
  const account = await createAccount(system.databaseUrl);
  const anonymous = await connectTo(system.urls.auth).datasources.mintToken({ datasource: "demo" });
  const { datasources } = await signIn(system.urls.auth, account);
  const signedIn = await datasources.mintToken({ datasource: "demo" });
  expect(await introspect(anonymous.token)).toMatchObject({ active: true, subject: "public" });
  expect(await introspect(signedIn.token)).toMatchObject({ active: true, subject: account.id });
});

test("MintToken refuses without telling what exists", async () => {
  const account = await createAccount(system.databaseUrl);
  await runSql(system.databaseUrl, "delete from auth.datasource_readers where account_id = $1", [
    account.id,
  ]);
  const signedIn = await signIn(system.urls.auth, account);
  const anonymous = connectTo(system.urls.auth);
  const stranger = connectTo(system.urls.auth, { bearer: "not.a.token" });
  const operator = connectTo(system.urls.auth, { bearer: TOKENS.operator });
  const cases = [
    { caller: signedIn, datasource: "demo-private", code: Code.NotFound },
    { caller: signedIn, datasource: "unknown", code: Code.NotFound },
    { caller: anonymous, datasource: "demo-private", code: Code.Unauthenticated },
    { caller: anonymous, datasource: "unknown", code: Code.Unauthenticated },
    { caller: stranger, datasource: "demo", code: Code.Unauthenticated },
    { caller: operator, datasource: "demo", code: Code.Unauthenticated },
    { caller: stranger, datasource: "Not A Name", code: Code.Unauthenticated },
    { caller: signedIn, datasource: "Not A Name", code: Code.InvalidArgument },
    { caller: signedIn, datasource: "", code: Code.InvalidArgument },
  ];
  const messages = new Map<Code, Set<string>>();
  for (const { caller, datasource, code } of cases) {
    const error = await rejection(caller.datasources.mintToken({ datasource }));
    expect(error.code, datasource).toBe(code);
    messages.set(code, (messages.get(code) ?? new Set()).add(error.message));
  }
  expect([...messages.values()].map((texts) => texts.size)).toEqual([1, 1, 1]);
});

test("RevokeToken by its owner ends a token, and again is harmless", async () => {
  const account = await createAccount(system.databaseUrl);
  const { datasources } = await signIn(system.urls.auth, account);
  const [first, second] = await Promise.all([
    datasources.mintToken({ datasource: "demo-private" }),
    datasources.mintToken({ datasource: "demo-private" }),
  ]);
  await datasources.revokeToken({ target: { case: "token", value: first.token } });
  await datasources.revokeToken({ target: { case: "jti", value: jtiOf(first.token) } });
  expect(await introspect(first.token)).toEqual({ active: false });
  expect(await introspect(second.token)).toMatchObject({ active: true });
  const events = await runSql(system.databaseUrl, eventsOfValue, [jtiOf(first.token)]);
  expect(events).toEqual([{ kind: "jti" }]);
});

test("RevokeToken is for the owner and the operator alone", async () => {
  const owner = await signIn(system.urls.auth, await createAccount(system.databaseUrl));
  const other = await signIn(system.urls.auth, await createAccount(system.databaseUrl));
  const anonymous = connectTo(system.urls.auth);
  const operator = connectTo(system.urls.auth, { bearer: TOKENS.operator });
  const ofOwner = await owner.datasources.mintToken({ datasource: "demo-private" });
  const ofNobody = await anonymous.datasources.mintToken({ datasource: "demo" });

  const refusals = [
    { caller: other, token: ofOwner.token, code: Code.PermissionDenied },
    { caller: other, token: ofNobody.token, code: Code.PermissionDenied },
    { caller: anonymous, token: ofOwner.token, code: Code.Unauthenticated },
    { caller: owner, token: owner.accessToken, code: Code.InvalidArgument },
    { caller: operator, token: "noise", code: Code.InvalidArgument },
  ];
  for (const { caller, token, code } of refusals) {
    const revoking = caller.datasources.revokeToken({ target: { case: "token", value: token } });
    expect((await rejection(revoking)).code).toBe(code);
  }
  const badIds = ["", "noise", "00000000-0000-0000-0000-000000000000"];
  for (const value of badIds) {
    const revoking = operator.datasources.revokeToken({ target: { case: "jti", value } });
    expect((await rejection(revoking)).rawMessage).toMatch(/^jti: /);
  }
  expect((await rejection(operator.datasources.revokeToken({}))).code).toBe(Code.InvalidArgument);
  expect(await introspect(ofOwner.token)).toMatchObject({ active: true });

  for (const token of [ofOwner.token, ofNobody.token]) {
    await operator.datasources.revokeToken({ target: { case: "token", value: token } });
    expect(await introspect(token)).toEqual({ active: false });
  }
});

test("Put is for the operator alone and names a bad field", async () => {
  const { accessToken } = await signIn(system.urls.auth, DEMO_ACCOUNT);
  const { authAdmin } = system.urls;
  const account = connectTo(authAdmin, { bearer: accessToken });
  const operator = connectTo(authAdmin, { bearer: TOKENS.operator });
  const anonymous = connectTo(authAdmin);
  const good = { datasource: "put-by-nobody", visibility: Visibility.PUBLIC };
  expect((await rejection(anonymous.datasources.put(good))).code).toBe(Code.Unauthenticated);
  expect((await rejection(account.datasources.put(good))).code).toBe(Code.Unauthenticated);
  const publicly = connectTo(system.urls.auth, { bearer: TOKENS.operator });
  expect((await rejection(publicly.datasources.put(good))).code).toBe(Code.NotFound);
  const badName = await rejection(operator.datasources.put({ ...good, datasource: "A b" }));
  expect(badName.rawMessage).toMatch(/^datasource: /);
  const bad = { ...good, visibility: Visibility.UNSPECIFIED };
  expect((await rejection(operator.datasources.put(bad))).rawMessage).toMatch(/^visibility: /);
});

test("Put revokes every token when asked to, and when a datasource stops being public", async () => {
  const operator = connectTo(system.urls.authAdmin, { bearer: TOKENS.operator }).datasources;
  const { datasources } = connectTo(system.urls.auth);
  const datasource = "weather.v1";
  const open = { datasource, visibility: Visibility.PUBLIC };
  expect(await operator.put(open)).toMatchObject({ accessVersion: 1n });
  const first = await datasources.mintToken({ datasource });
  expect(await operator.put(open)).toMatchObject({ accessVersion: 1n });
  expect(await introspect(first.token)).toMatchObject({ active: true });

  expect(await operator.put({ ...open, revokeTokens: true })).toMatchObject({ accessVersion: 2n });
  expect(await introspect(first.token)).toEqual({ active: false });
  const second = await datasources.mintToken({ datasource });
  expect(await introspect(second.token)).toMatchObject({ intent: { accessVersion: "2" } });

  const closed = { datasource, visibility: Visibility.PRIVATE };
  expect(await operator.put(closed)).toMatchObject({ accessVersion: 3n });
  expect(await introspect(second.token)).toEqual({ active: false });
  const minting = await rejection(datasources.mintToken({ datasource }));
  expect(minting.code).toBe(Code.Unauthenticated);
});

test("auth accepts the tokens of before a restart", async () => {
  const { datasources } = await signIn(system.urls.auth, DEMO_ACCOUNT);
  const { token } = await datasources.mintToken({ datasource: "demo-private" });
  await system.services.auth.restart();
  expect(await introspect(token)).toMatchObject({ active: true });
});

const eventsOfValue = "select kind from auth.revocations where value = $1";

async function introspect(sessionToken: string): Promise<unknown> {
  return (await callInternal(system.urls.auth, "datasource-introspect", { sessionToken })).answer;
}

function jtiOf(token: string): string {
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  return String((JSON.parse(payload) as { jti: string }).jti);
}
