import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { hash } from "@node-rs/argon2";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runSql } from "../fixtures/postgres.ts";
import { DEMO_ACCOUNT, type System } from "../fixtures/services.ts";
import {
  connectTo,
  createAccount,
  freshAddress,
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

test("Login gives the demo account tokens, as plain JSON too", async () => {
  const response = await fetch(`${system.urls.auth}/portcullis.auth.v1.AuthService/Login`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": freshAddress() },
    body: JSON.stringify(DEMO_ACCOUNT),
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    refreshToken: expect.stringMatching(/^[\w-]{43}$/),
    expiresAt: expect.stringMatching(/^20\d\d-/),
  });
});

test("Login takes an e-mail address in any case and tells when the access token ends", async () => {
  const { auth } = connectTo(system.urls.auth);
  const { id, email, password } = await createAccount(system.databaseUrl);
  const answer = await auth.login({ email: ` ${email.toUpperCase()} `, password });
  const claims = decodeJwt(answer.accessToken);
  expect(claims).toMatchObject({ iss: "portcullis", aud: "portcullis-api", sub: id });
  expect(answer.expiresAt && timestampMs(answer.expiresAt)).toBe(Number(claims.exp) * 1_000);
  expect(Number(claims.exp) - Number(claims.iat)).toBe(600);
});

test("Login answers unknown, wrong, disabled and locked alike", async () => {
  const [wrong, disabled, locked] = await Promise.all(
    [1, 2, 3].map(() => createAccount(system.databaseUrl)),
  );
  await runSql(system.databaseUrl, "update auth.accounts set disabled_at = now() where id = $1", [
    disabled?.id,
  ]);
  await runSql(system.databaseUrl, "update auth.accounts set locked_at = now() where id = $1", [
    locked?.id,
  ]);
  const attempts = [
    { email: "nobody@portcullis.test", password: "x" },
    { email: wrong?.email ?? "", password: "x" },
    { email: disabled?.email ?? "", password: disabled?.password ?? "" },
    { email: locked?.email ?? "", password: locked?.password ?? "" },
  ];
  const answers = await Promise.all(
    attempts.map(async (attempt) => {
      const error = await rejection(connectTo(system.urls.auth).auth.login(attempt));
      return { code: error.code, message: error.message };
    }),
  );
  const same = { code: Code.Unauthenticated, message: answers[0]?.message };
  expect(answers).toEqual([same, same, same, same]);
});

test("Login takes about as long for an unknown account as for a wrong password", async () => {
  const account = await createAccount(system.databaseUrl);
  const time = async (email: string) => {
    const startedAt = performance.now();
    await rejection(connectTo(system.urls.auth).auth.login({ email, password: "x" }));
    return performance.now() - startedAt;
  };
  const known: number[] = [];
  const unknown: number[] = [];
  for (let round = 0; round < 7; round++) {
    known.push(await time(account.email));
    unknown.push(await time(`nobody-${round}@portcullis.test`));
  }
  // A missing hash would make the second many times faster.
  expect(median(unknown)).toBeGreaterThan(median(known) / 2);
  expect(median(unknown)).toBeLessThan(median(known) * 2);
});

test("Login limits guesses made at once from one network, for unknown accounts too", async () => {
  const account = await createAccount(system.databaseUrl);
  for (const email of [account.email, "nobody-at-all@portcullis.test"]) {
    const { auth } = connectTo(system.urls.auth);
    const guesses = Array.from({ length: 12 }, () =>
      rejection(auth.login({ email, password: "x" })),
    );
    const codes = (await Promise.all(guesses)).map((error) => error.code);
    expect(codes.filter((code) => code === Code.Unauthenticated)).toHaveLength(5);
    expect(codes.filter((code) => code === Code.ResourceExhausted)).toHaveLength(7);

    const limited = await rejection(auth.login({ email, password: account.password }));
    expect(limited.code).toBe(Code.ResourceExhausted);
    expect(Number(limited.metadata.get("retry-after"))).toBeGreaterThanOrEqual(1);
  }
  const elsewhere = await signIn(system.urls.auth, account);
  expect(elsewhere.accessToken).not.toBe("");
});

test("Login gives the account its charge back when the password was right", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  for (let round = 0; round < 8; round++) await auth.login(account);
  const codes = [];
  for (let round = 0; round < 5; round++) {
    codes.push((await rejection(auth.login({ email: account.email, password: "x" }))).code);
  }
  expect(new Set(codes)).toEqual(new Set([Code.Unauthenticated]));
});

test("Login lets an office sign in from one address", async () => {
  const accounts = await Promise.all([1, 2, 3].map(() => createAccount(system.databaseUrl)));
  const { auth } = connectTo(system.urls.auth);
  for (let round = 0; round < 14; round++) {
    await Promise.all(accounts.map(async (account) => await auth.login(account)));
  }
});

test("Login tells what is wrong with a malformed request", async () => {
  const { auth } = connectTo(system.urls.auth);
  const bad = [
    { email: "", password: "x", field: "email" },
    { email: `${"a".repeat(255)}@portcullis.test`, password: "x", field: "email" },
    { email: "a b@portcullis.test", password: "x", field: "email" },
    { email: DEMO_ACCOUNT.email, password: "", field: "password" },
    { email: DEMO_ACCOUNT.email, password: "x".repeat(1_025), field: "password" },
  ];
  for (const { field, ...request } of bad) {
    const error = await rejection(auth.login(request));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(new RegExp(`^${field}: `));
  }
});

test("Login strengthens a hash that was made with weaker parameters", async () => {
  const account = await createAccount(system.databaseUrl);
  const weak = await hash(account.password, { memoryCost: 8_192, timeCost: 1 });
  const set = "update auth.accounts set password_hash = $2 where id = $1";
  await runSql(system.databaseUrl, set, [account.id, weak]);
  await signIn(system.urls.auth, account);
  const [row] = await runSql(
    system.databaseUrl,
    "select password_hash from auth.accounts where id = $1",
    [account.id],
  );
  expect(row?.["password_hash"]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  await signIn(system.urls.auth, account);
});

test("Refresh continues a login session with new tokens", async () => {
  const account = await createAccount(system.databaseUrl);
  const first = await signIn(system.urls.auth, account);
  const second = await first.auth.refresh({ refreshToken: first.refreshToken });
  expect(second.refreshToken).not.toBe(first.refreshToken);
  expect(decodeJwt(second.accessToken)["sid"]).toBe(decodeJwt(first.accessToken)["sid"]);
  await first.auth.refresh({ refreshToken: second.refreshToken });
});

test("Refresh with a used token ends the whole login session", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth, datasources, refreshToken } = await signIn(system.urls.auth, account);
  const { refreshToken: successor } = await auth.refresh({ refreshToken });
  expect((await rejection(auth.refresh({ refreshToken }))).code).toBe(Code.Unauthenticated);
  const next = await rejection(auth.refresh({ refreshToken: successor }));
  expect(next.code).toBe(Code.Unauthenticated);
  const minting = await rejection(datasources.mintToken({ datasource: "demo" }));
  expect(minting.code).toBe(Code.Unauthenticated);
});

test("Refresh lets one of many uses at once win", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth, refreshToken } = await signIn(system.urls.auth, account);
  const uses = Array.from({ length: 8 }, () => auth.refresh({ refreshToken }));
  const results = await Promise.allSettled(uses);
  expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
});

test("Refresh refuses unknown, old and barred", async () => {
  const { auth } = connectTo(system.urls.auth);
  for (const refreshToken of ["", "unknown", "x".repeat(10_000)]) {
    expect((await rejection(auth.refresh({ refreshToken }))).code).toBe(Code.Unauthenticated);
  }
  const account = await createAccount(system.databaseUrl);
  const statements = [
    "update auth.refresh_tokens set created_at = now() - interval '8 days' where login_session in (select id from auth.login_sessions where account_id = $1)",
    "update auth.login_sessions set expires_at = now() where account_id = $1",
    "update auth.accounts set locked_at = now() where id = $1",
  ];
  for (const statement of statements) {
    const { refreshToken } = await signIn(system.urls.auth, account);
    await runSql(system.databaseUrl, statement, [account.id]);
    const error = await rejection(auth.refresh({ refreshToken }));
    expect(error.code, statement).toBe(Code.Unauthenticated);
  }
});

test("Logout ends the login session, with a used refresh token too, and accepts anything", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth, datasources, refreshToken } = await signIn(system.urls.auth, account);
  const { refreshToken: successor } = await auth.refresh({ refreshToken });
  await auth.logout({ refreshToken });
  await auth.logout({ refreshToken });
  await auth.logout({ refreshToken: "unknown" });
  const refreshing = await rejection(auth.refresh({ refreshToken: successor }));
  expect(refreshing.code).toBe(Code.Unauthenticated);
  const minting = await rejection(datasources.mintToken({ datasource: "demo-private" }));
  expect(minting.code).toBe(Code.Unauthenticated);
});

test("portcullis.auth.logins counts every result, from zero", async () => {
  const fresh = await startAuthSystem();
  try {
    expect(await loginCounts(fresh)).toEqual({ ok: 0, refused: 0, limited: 0, unavailable: 0 });
    const { auth } = connectTo(fresh.urls.auth);
    await auth.login(DEMO_ACCOUNT);
    const guesses = Array.from({ length: 6 }, () =>
      rejection(auth.login({ email: DEMO_ACCOUNT.email, password: "x" })),
    );
    await Promise.all(guesses);
    await fresh.services.limiter.kill("SIGKILL");
    await rejection(connectTo(fresh.urls.auth).auth.login(DEMO_ACCOUNT));
    expect(await loginCounts(fresh)).toEqual({ ok: 1, refused: 5, limited: 1, unavailable: 1 });
  } finally {
    await fresh.stop();
  }
});

async function loginCounts(of: System) {
  const text = await (await fetch(of.metricsUrls.auth)).text();
  const samples = text.matchAll(/^portcullis_auth_logins_total\{result="(\w+)"[^}]*\} (\d+)/gm);
  return Object.fromEntries([...samples].map(([, result, count]) => [result, Number(count)]));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
