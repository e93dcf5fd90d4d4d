import { createHash, randomBytes } from "node:crypto";
import { Code } from "@connectrpc/connect";
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { runSql } from "../fixtures/postgres.ts";
import { type System, TOKENS } from "../fixtures/services.ts";
import {
  connectTo,
  createAccount,
  freshAddress,
  rejection,
  signIn,
  startAuthSystem,
} from "./auth-system.ts";

/** Of `refresh.ip`, `refresh.session` and `credential.ip`. */
const REFRESHES_OF_ADDRESS = 120;
const REFRESHES_OF_SESSION = 30;
const TRIES_OF_ADDRESS = 120;

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
});
afterAll(async () => {
  await system.stop();
});

test("Refresh limits noise by address, and not who has a token behind the same one", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth, address, refreshToken } = await signIn(system.urls.auth, account);
  const sendNoise = async () => await auth.refresh({ refreshToken: noise() });
  let tries = 0;
  let refusal = await rejection(sendNoise());
  for (; refusal.code === Code.Unauthenticated && tries < 500; tries++) {
    refusal = await rejection(sendNoise());
  }
  expect(refusal.code).toBe(Code.ResourceExhausted);
  expect(tries).toBeGreaterThanOrEqual(REFRESHES_OF_ADDRESS);
  const limited = await rejection(
    connectTo(system.urls.auth, { address }).auth.logout({ refreshToken: "x" }),
  );
  expect(limited.code).toBe(Code.ResourceExhausted);
  expect(Number(limited.metadata.get("retry-after"))).toBeGreaterThanOrEqual(1);
  await auth.refresh({ refreshToken });
});

test("Refresh limits a login session wherever it is used from, and no other one", async () => {
  const account = await createAccount(system.databaseUrl);
  const [one, other] = [
    await signIn(system.urls.auth, account),
    await signIn(system.urls.auth, account),
  ];
  let { refreshToken } = one;
  const refreshForEver = async () => {
    for (let round = 0; round < 200; round++) {
      const { auth } = connectTo(system.urls.auth);
      ({ refreshToken } = await auth.refresh({ refreshToken }));
    }
  };
  expect((await rejection(refreshForEver())).code).toBe(Code.ResourceExhausted);
  await other.auth.refresh({ refreshToken: other.refreshToken });
  const [{ tokens }] = await tokensOf(one.refreshToken, account.id);
  expect(tokens).toBeLessThanOrEqual(4);
  expect(REFRESHES_OF_SESSION).toBeGreaterThan(4);
});

test("noise at Refresh and Logout asks nothing of the database", async () => {
  const blocker = await lock("auth.refresh_tokens, auth.login_sessions");
  const { auth } = connectTo(system.urls.auth);
  expect((await rejection(auth.refresh({ refreshToken: noise() }))).code).toBe(
    Code.Unauthenticated,
  );
  await auth.logout({ refreshToken: noise() });
  await blocker.end();
});

test("a used token whose row is gone still ends its login session", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth, refreshToken: first } = await signIn(system.urls.auth, account);
  let refreshToken = first;
  for (let round = 0; round < 5; round++) ({ refreshToken } = await auth.refresh({ refreshToken }));
  const digest = createHash("sha256").update(first).digest();
  const stored = "select from auth.refresh_tokens where digest = $1";
  expect(await runSql(system.databaseUrl, stored, [digest])).toEqual([]);
  expect((await rejection(auth.refresh({ refreshToken: first }))).code).toBe(Code.Unauthenticated);
  expect((await rejection(auth.refresh({ refreshToken }))).code).toBe(Code.Unauthenticated);
  const [ended] = await runSql(
    system.databaseUrl,
    `select detail ->> 'reason' as reason from auth.audit_log
     where account_id = $1 and event = 'login-session.revoked'`,
    [account.id],
  );
  expect(ended).toEqual({ reason: "refresh-token-reused" });
});

test("Logout works with a used token whose row is gone", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth, refreshToken: first } = await signIn(system.urls.auth, account);
  let refreshToken = first;
  for (let round = 0; round < 4; round++) ({ refreshToken } = await auth.refresh({ refreshToken }));
  await auth.logout({ refreshToken: first });
  expect((await rejection(auth.refresh({ refreshToken }))).code).toBe(Code.Unauthenticated);
});

test("a token of an older program works, and using it twice ends its login session", async () => {
  const account = await createAccount(system.databaseUrl);
  const old = await oldProgramSignsIn(account.id);
  const { auth } = connectTo(system.urls.auth);
  const { refreshToken } = await auth.refresh({ refreshToken: old });
  const next = await auth.refresh({ refreshToken });
  const last = await auth.refresh({ refreshToken: next.refreshToken });
  expect((await rejection(auth.refresh({ refreshToken: old }))).code).toBe(Code.Unauthenticated);
  const refused = await rejection(auth.refresh({ refreshToken: last.refreshToken }));
  expect(refused.code).toBe(Code.Unauthenticated);
});

test("a signed-out access token neither mints nor revokes", async () => {
  const account = await createAccount(system.databaseUrl);
  const victim = await signIn(system.urls.auth, account);
  const { token } = await victim.datasources.mintToken({ datasource: "demo-private" });
  const { auth, datasources, refreshToken } = await signIn(system.urls.auth, account);
  await auth.logout({ refreshToken });
  const revoking = datasources.revokeToken({ target: { case: "token", value: token } });
  expect((await rejection(revoking)).code).toBe(Code.Unauthenticated);
  const minting = datasources.mintToken({ datasource: "demo" });
  expect((await rejection(minting)).code).toBe(Code.Unauthenticated);
  await runSql(system.databaseUrl, "update auth.accounts set disabled_at = now() where id = $1", [
    account.id,
  ]);
  const barred = victim.datasources.revokeToken({ target: { case: "token", value: token } });
  expect((await rejection(barred)).code).toBe(Code.Unauthenticated);
});

test.each(["a-guess", "x.y.z"])(
  "wrong credentials such as %s are limited by address, right ones never",
  async (bearer) => {
    const target = { case: "jti", value: "b2f5c1de-3c07-4a37-a6a3-6c6d8a3a4f11" } as const;
    const wrong = connectTo(system.urls.auth, { bearer });
    const { address } = wrong;
    const codes = await codesOf(TRIES_OF_ADDRESS + 60, () =>
      wrong.datasources.revokeToken({ target }),
    );
    const refused = codes.filter((code) => code === Code.Unauthenticated).length;
    // Two more a second.
    expect(refused).toBeGreaterThanOrEqual(TRIES_OF_ADDRESS);
    expect(refused).toBeLessThan(TRIES_OF_ADDRESS + 60);
    expect(codes.filter((code) => code === Code.ResourceExhausted).length).toBe(
      codes.length - refused,
    );
    const operator = connectTo(system.urls.auth, { address, bearer: TOKENS.operator }).datasources;
    const { token } = await connectTo(system.urls.auth, { address }).datasources.mintToken({
      datasource: "demo",
    });
    await operator.revokeToken({ target: { case: "token", value: token } });
  },
);

test("an account's own revocations are limited by address", async () => {
  const { datasources } = await signIn(system.urls.auth, await createAccount(system.databaseUrl));
  const target = { case: "jti", value: "b2f5c1de-3c07-4a37-a6a3-6c6d8a3a4f11" } as const;
  const codes = await codesOf(70, () => datasources.revokeToken({ target }));
  expect(codes.filter((code) => code === Code.ResourceExhausted).length).toBeGreaterThan(0);
});

test("no answer that carries tokens may be kept, and no error either", async () => {
  const account = await createAccount(system.databaseUrl);
  const { accessToken, refreshToken } = await signIn(system.urls.auth, account);
  const calls = [
    { method: "AuthService/Login", body: { email: account.email, password: account.password } },
    { method: "AuthService/Login", body: { email: account.email, password: "x" } },
    { method: "AuthService/Login", body: { email: "", password: "x" } },
    { method: "AuthService/Refresh", body: { refreshToken } },
    { method: "AuthService/Refresh", body: { refreshToken: "x" } },
    { method: "AuthService/Logout", body: {} },
    { method: "AuthService/Login", body: { email: 1 } },
    { method: "DatasourceService/MintToken", body: { datasource: "demo" } },
    { method: "DatasourceService/MintToken", body: { datasource: "no such" } },
    { method: "DatasourceService/RevokeToken", body: {} },
  ];
  for (const { method, body } of calls) {
    const response = await fetch(`${system.urls.auth}/portcullis.auth.v1.${method}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-forwarded-for": freshAddress(),
        ...(method.startsWith("Auth") ? {} : { authorization: `Bearer ${accessToken}` }),
      },
      body: JSON.stringify(body),
    });
    expect(response.headers.get("cache-control"), `${method} ${response.status}`).toBe("no-store");
  }
});

function noise(): string {
  return randomBytes(32).toString("base64url");
}

/** The codes of calls of which all may fail; undefined for those that do not. */
async function codesOf(count: number, call: () => Promise<unknown>) {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const [result] = await Promise.allSettled([call()]);
      return result.status === "rejected"
        ? (await rejection(Promise.reject(result.reason))).code
        : undefined;
    }),
  );
}

/** Locks tables against everybody until ended. */
async function lock(tables: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: system.databaseUrl });
  await client.connect();
  onTestFinished(async () => await client.end());
  await client.query("begin");
  await client.query(`lock table ${tables} in access exclusive mode`);
  return client;
}

async function tokensOf(refreshToken: string, accountId: string): Promise<[{ tokens: number }]> {
  expect(refreshToken).toMatch(/^[\w-]{43}$/);
  const [row] = await runSql<{ tokens: number }>(
    system.databaseUrl,
    `select count(*)::int as tokens from auth.refresh_tokens t
     join auth.login_sessions s on s.id = t.login_session where s.account_id = $1`,
    [accountId],
  );
  return [row ?? { tokens: 0 }];
}

/** What a sign-in left in the database before refresh tokens named their session. */
async function oldProgramSignsIn(accountId: string): Promise<string> {
  const token = noise();
  await runSql(
    system.databaseUrl,
    `with session as (
       insert into auth.login_sessions (account_id, created_at, expires_at)
       values ($1, now(), now() + interval '30 days') returning id
     )
     insert into auth.refresh_tokens (digest, login_session, created_at)
     select $2, id, now() from session`,
    [accountId, createHash("sha256").update(token).digest()],
  );
  return token;
}
