import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hashPassword } from "../../services/auth/login/password-hash.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { runSql } from "../fixtures/postgres.ts";
import type { System } from "../fixtures/services.ts";
import {
  type Credentials,
  connectTo,
  createAccount,
  freshAddress,
  rejection,
  startAuthSystem,
} from "./auth-system.ts";

/** So few that a test can use them up; the built-in policy has a hundred. */
const STRANGERS_GUESSES = 4;

let system: System;
let removePolicies: () => Promise<void>;
beforeAll(async () => {
  const { environment, remove } = await writePolicies((yaml) =>
    yaml.replace(
      "login.account:\n    { key: text, algorithm: token_bucket, limit: 100,",
      `login.account:\n    { key: text, algorithm: token_bucket, limit: ${STRANGERS_GUESSES},`,
    ),
  );
  removePolicies = remove;
  system = await startAuthSystem(environment);
});
afterAll(async () => {
  await system.stop();
  await removePolicies();
});

test("an owner gets in from a network that signed in before, however hard others guess", async () => {
  const { account, network } = await lockedOut();
  await connectTo(system.urls.auth, { address: network }).auth.login(account);
  const stranger = await rejection(connectTo(system.urls.auth).auth.login(account));
  expect(stranger.code).toBe(Code.ResourceExhausted);
  expect(Number(stranger.metadata.get("retry-after"))).toBeGreaterThan(0);
});

test("an owner gets in from the same IPv6 network, and not from the next one", async () => {
  const { account } = await lockedOut("2001:db8:1:2::1");
  await connectTo(system.urls.auth, { address: "2001:db8:1:2:ffff::9" }).auth.login(account);
  const next = connectTo(system.urls.auth, { address: "2001:db8:1:3::1" });
  expect((await rejection(next.auth.login(account))).code).toBe(Code.ResourceExhausted);
});

test("an owner gets in anywhere with the token of a device that signed in before", async () => {
  const { account, deviceToken } = await lockedOut();
  const { auth } = connectTo(system.urls.auth);
  const answer = await auth.login({ ...account, deviceToken });
  expect(answer.deviceToken).toBeTruthy();
  await connectTo(system.urls.auth).auth.login({ ...account, deviceToken: answer.deviceToken });
});

test("a device gets in though others guess behind its own address", async () => {
  const { account, deviceToken } = await lockedOut();
  const { auth, address } = connectTo(system.urls.auth);
  for (let guess = 0; guess < 6; guess++) {
    await rejection(auth.login({ email: account.email, password: "x" }));
  }
  await connectTo(system.urls.auth, { address }).auth.login({ ...account, deviceToken });
});

test("a device token of another account, a forged one and an access token help nobody", async () => {
  const { account } = await lockedOut();
  const other = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  const foreign = await auth.login({ ...other, deviceToken: "" });
  const forged = `${foreign.deviceToken?.slice(0, -4)}AAAA`;
  const tokens = [foreign.deviceToken ?? "", forged, foreign.accessToken, "noise", ""];
  for (const deviceToken of tokens) {
    const refusal = await rejection(
      connectTo(system.urls.auth).auth.login({ ...account, deviceToken }),
    );
    expect(refusal.code, deviceToken).toBe(Code.ResourceExhausted);
  }
});

test("a device token is void once the password has changed, and survives a stronger hash", async () => {
  const { account, deviceToken } = await lockedOut();
  const set = "update auth.accounts set password_hash = $2 where id = $1";
  const rehash =
    "update auth.accounts set password_hash = $2, rehashed_at = clock_timestamp() where id = $1";
  const signIn = async () =>
    await connectTo(system.urls.auth).auth.login({ ...account, deviceToken });
  await runSql(system.databaseUrl, rehash, [account.id, await hashPassword(account.password)]);
  await signIn();
  await runSql(system.databaseUrl, set, [account.id, await hashPassword(account.password)]);
  expect((await rejection(signIn())).code).toBe(Code.ResourceExhausted);
});

test("a device token is void once its account was locked", async () => {
  const { account, deviceToken } = await lockedOut();
  for (const locked of ["now()", "null"]) {
    const lock = `update auth.accounts set locked_at = ${locked} where id = $1`;
    await runSql(system.databaseUrl, lock, [account.id]);
  }
  const login = connectTo(system.urls.auth).auth.login({ ...account, deviceToken });
  expect((await rejection(login)).code).toBe(Code.ResourceExhausted);
});

test("what a device token was made for is told from its claims: it is no access token", async () => {
  const account = await createAccount(system.databaseUrl);
  const { deviceToken = "" } = await connectTo(system.urls.auth).auth.login({
    ...account,
    deviceToken: "",
  });
  const { datasources } = connectTo(system.urls.auth, { bearer: deviceToken });
  const minting = await rejection(datasources.mintToken({ datasource: "demo-private" }));
  expect(minting.code).toBe(Code.Unauthenticated);
});

test("whoever does not ask for a device token gets none", async () => {
  const account = await createAccount(system.databaseUrl);
  const answer = await connectTo(system.urls.auth).auth.login(account);
  expect(answer.deviceToken).toBeUndefined();
});

test("a known network that guesses is bounded like any other", async () => {
  const { account, network } = await lockedOut();
  const { auth } = connectTo(system.urls.auth, { address: network });
  const codes = [];
  for (let guess = 0; guess < 7; guess++) {
    codes.push((await rejection(auth.login({ email: account.email, password: "x" }))).code);
  }
  expect(codes.filter((code) => code === Code.Unauthenticated)).toHaveLength(5);
  expect(codes.at(-1)).toBe(Code.ResourceExhausted);
});

test("strangers cannot tell accounts apart once their guesses are used up", async () => {
  const { account } = await lockedOut();
  const unknown = { email: "nobody-here@portcullis.test", password: "x" };
  await useUp(unknown.email);
  const { account: disabled } = await lockedOut();
  await runSql(system.databaseUrl, "update auth.accounts set disabled_at = now() where id = $1", [
    disabled.id,
  ]);
  const answers = await Promise.all(
    [account, unknown, disabled].map(async (credentials) => {
      const refusal = await rejection(connectTo(system.urls.auth).auth.login(credentials));
      return { code: refusal.code, message: refusal.message };
    }),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]?.code).toBe(Code.ResourceExhausted);
});

test("a doubtful address makes no network known", async () => {
  const account = await createAccount(system.databaseUrl);
  const response = await fetch(`${system.urls.auth}/portcullis.auth.v1.AuthService/Login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: account.email, password: account.password }),
  });
  expect(response.status).toBe(200);
  expect(await networksOf(account.id)).toEqual([]);
});

test("an account keeps its last 20 networks, as digests that name no address", async () => {
  const account = await createAccount(system.databaseUrl);
  const addresses = Array.from({ length: 24 }, freshAddress);
  for (const address of addresses) {
    await connectTo(system.urls.auth, { address }).auth.login(account);
  }
  const networks = await networksOf(account.id);
  expect(networks).toHaveLength(20);
  for (const { digest } of networks) expect(digest).toHaveLength(16);
  const text = JSON.stringify(networks.map(({ digest }) => digest.toString("latin1")));
  for (const address of addresses) expect(text).not.toContain(address);
  await useUp(account.email);
  const last = connectTo(system.urls.auth, { address: addresses.at(-1) ?? "" });
  await last.auth.login(account);
  const first = connectTo(system.urls.auth, { address: addresses[0] ?? "" });
  expect((await rejection(first.auth.login(account))).code).toBe(Code.ResourceExhausted);
});

test("a network that was not used for 90 days is a stranger's", async () => {
  const { account, network } = await lockedOut();
  await runSql(
    system.databaseUrl,
    "update auth.known_networks set last_used_at = now() - interval '91 days' where account_id = $1",
    [account.id],
  );
  const login = connectTo(system.urls.auth, { address: network }).auth.login(account);
  expect((await rejection(login)).code).toBe(Code.ResourceExhausted);
});

/** An account that signed in from one network and device, and whose strangers' guesses are used up. */
async function lockedOut(network = freshAddress()) {
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth, { address: network });
  const { deviceToken = "" } = await auth.login({ ...account, deviceToken: "" });
  await useUp(account.email);
  return { account: account satisfies Credentials, network, deviceToken };
}

async function useUp(email: string): Promise<void> {
  for (let guess = 0; guess < STRANGERS_GUESSES; guess++) {
    const wrong = connectTo(system.urls.auth).auth.login({ email, password: "wrong" });
    expect((await rejection(wrong)).code).toBe(Code.Unauthenticated);
  }
}

async function networksOf(accountId: string) {
  return await runSql<{ digest: Buffer }>(
    system.databaseUrl,
    "select digest from auth.known_networks where account_id = $1",
    [accountId],
  );
}
