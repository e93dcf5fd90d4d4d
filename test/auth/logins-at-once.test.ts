import { Code } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "vitest";
import { writePolicies } from "../fixtures/policies.ts";
import { PATIENCE, type System, startSystem } from "../fixtures/services.ts";
import { connectTo, createAccount, rejection, startAuthSystem } from "./auth-system.ts";

test.each([6, 20])("%i right logins of one account at once all get in", async (count) => {
  const system = await start();
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  await Promise.all(Array.from({ length: count }, async () => await auth.login(account)));
});

test("right logins at once get in after wrong guesses that left one", async () => {
  const system = await start();
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  for (let guess = 0; guess < 4; guess++) {
    await rejection(auth.login({ email: account.email, password: "x" }));
  }
  await Promise.all(Array.from({ length: 8 }, async () => await auth.login(account)));
});

test("20 right logins at once get in on two replicas", async () => {
  const system = await start();
  const replica = await startSystem({
    services: ["auth"],
    databaseUrl: system.databaseUrl,
    environment: { API_TRUST_PROXY_HOPS: "1", ...PATIENCE, LIMITER_URL: system.urls.limiter },
  });
  onTestFinished(replica.stop);
  const account = await createAccount(system.databaseUrl);
  const one = connectTo(system.urls.auth);
  const other = connectTo(replica.urls.auth, { address: one.address });
  const logins = Array.from({ length: 10 }, () => [one, other]).flat();
  await Promise.all(logins.map(async ({ auth }) => await auth.login(account)));
});

test("30 accounts sign in at once from one address", async () => {
  const system = await start();
  const accounts = await Promise.all(
    Array.from({ length: 30 }, async () => await createAccount(system.databaseUrl)),
  );
  const { auth } = connectTo(system.urls.auth);
  await Promise.all(accounts.map(async (account) => await auth.login(account)));
});

test("40 right logins in a row get in from one address, and guesses there are still few", async () => {
  const system = await start();
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  for (let login = 0; login < 40; login++) await auth.login(account);
  const guess = async () => {
    for (let round = 0; round < 40; round++) {
      const wrong = { email: `nobody-${round}@portcullis.test`, password: "wrong" };
      const refusal = await rejection(auth.login(wrong));
      if (refusal.code === Code.ResourceExhausted) throw refusal;
    }
  };
  expect((await rejection(guess())).code).toBe(Code.ResourceExhausted);
});

test("attempts at once beyond what may wait are told a short wait, and it is true", async () => {
  const system = await start();
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  const logins = Array.from({ length: 50 }, async () => await auth.login(account));
  const results = await Promise.allSettled(logins);
  const refusals = await Promise.all(
    logins.filter((_, index) => results[index]?.status === "rejected").map(rejection),
  );
  expect(refusals.length).toBeGreaterThan(0);
  expect(results.length - refusals.length).toBeGreaterThanOrEqual(33);
  for (const refusal of refusals) {
    expect(refusal.code).toBe(Code.ResourceExhausted);
    expect(Number(refusal.metadata.get("retry-after"))).toBeLessThanOrEqual(5);
  }
  await auth.login(account);
});

test("right logins are not without end from one address", async () => {
  const { environment, remove } = await writePolicies((yaml) =>
    yaml.replace(
      /login\.ip:\n.*/,
      "login.ip: { key: address, algorithm: token_bucket, limit: 1, period: 1h }",
    ),
  );
  onTestFinished(remove);
  const system = await start(environment);
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  const signInForEver = async () => {
    for (let login = 0; login < 200; login++) await auth.login(account);
  };
  expect((await rejection(signInForEver())).code).toBe(Code.ResourceExhausted);
});

async function start(environment: Readonly<Record<string, string>> = {}): Promise<System> {
  const system = await startAuthSystem(environment);
  onTestFinished(system.stop);
  return system;
}
