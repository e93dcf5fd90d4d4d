import { readFile } from "node:fs/promises";
import { Code } from "@connectrpc/connect";
import { hash } from "@node-rs/argon2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { normaliseEmail } from "../../services/auth/login/email.ts";
import { hashPassword } from "../../services/auth/login/password-hash.ts";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";
import type { System } from "../fixtures/services.ts";
import { connectTo, createAccount, rejection, startAuthSystem } from "./auth-system.ts";

const MIGRATION = "services/auth/migrations/0010-emails-are-normalised.sql";

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
});
afterAll(async () => {
  await system.stop();
});

test("an account signs in however its address was written down", async () => {
  const written = [
    " Ada.One@Portcullis.TEST ",
    "ZOE\u0301@Portcullis.test",
    "\u00c9va@\u039f\u03a3.test",
  ];
  for (const email of written) {
    await insertAccount(email, await hashPassword("a right password"));
    const { auth } = connectTo(system.urls.auth);
    await auth.login({ email, password: "a right password" });
    const typed = normaliseEmail(email) ?? "";
    await auth.login({ email: typed.toUpperCase(), password: "a right password" });
  }
});

test("the database has one account for one address, and none for what cannot be typed", async () => {
  const { email } = await createAccount(system.databaseUrl);
  await expect(insertAccount(email.toUpperCase(), "x")).rejects.toThrow("accounts_email_unique");
  for (const bad of ["", "  ", "a b@portcullis.test", "a\u0001@b.test", "a".repeat(255)]) {
    await expect(insertAccount(bad, "x")).rejects.toThrow("email: must be");
  }
  const rename = "update auth.accounts set email = upper(email) where email = $1 returning email";
  expect(await runSql(system.databaseUrl, rename, [email])).toEqual([{ email }]);
});

test("the migration normalises the rows that there are", async () => {
  const { url, migrate } = await databaseWith([
    "Ada@X.test",
    " bob@x.test",
    "eve@x.test",
    "a b@x.test",
  ]);
  await migrate();
  const rows = await runSql<{ email: string }>(
    url,
    "select email from auth.accounts order by email",
  );
  expect(rows.map(({ email }) => email)).toEqual([
    ...["a b@x.test", "ada@x.test", "bob@x.test", "eve@x.test"],
  ]);
});

test("the migration refuses accounts that would be one, by their ids, and changes nothing", async () => {
  const { url, migrate } = await databaseWith(["Ada@x.test", "ada@x.test", "Eve@x.test"]);
  const rows = await runSql<{ id: string }>(
    url,
    "select id from auth.accounts where email ilike 'ada%' order by created_at, id",
  );
  await expect(migrate()).rejects.toThrow(rows.map(({ id }) => id).join(" and "));
  const [{ count } = { count: -1 }] = await runSql<{ count: number }>(
    url,
    "select count(*)::int as count from auth.accounts where email = 'Eve@x.test'",
  );
  expect(count).toBe(1);
});

test.each([
  ["of bcrypt", "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"],
  ["that is empty", ""],
  [
    "that would take all memory",
    "$argon2id$v=19$m=4194304,t=9,p=1$c29tZXNhbHRzb21l$aGFzaGhhc2hoYXNoaGFzaA",
  ],
])(
  "a stored hash %s looks like a wrong password, and is logged by account",
  async (_name, stored) => {
    const email = `stored-${stored.length}@portcullis.test`;
    const id = await insertAccount(email, stored);
    const { auth } = connectTo(system.urls.auth);
    const refusal = await rejection(auth.login({ email, password: "any" }));
    const unknown = await rejection(auth.login({ email: `not-${email}`, password: "any" }));
    expect([refusal.code, refusal.message]).toEqual([Code.Unauthenticated, unknown.message]);
    expect(
      await runSql(
        system.databaseUrl,
        "select detail from auth.audit_log where account_id = $1 and event = 'login.failed'",
        [id],
      ),
    ).toEqual([{ detail: { reason: "unreadable-hash" } }]);
    expect(system.services.auth.logs().map(({ msg }) => msg)).toContain(
      "a stored password hash cannot be read; its account cannot sign in",
    );
  },
);

test("a password is the same composed and decomposed, and is stored anew as it should be", async () => {
  const email = "composed@portcullis.test";
  const id = await insertAccount(
    email,
    await hash("nai\u0308ve", { memoryCost: 19_456, timeCost: 2 }),
  );
  const { auth } = connectTo(system.urls.auth);
  await auth.login({ email, password: "na\u00efve" });
  await auth.login({ email, password: "nai\u0308ve" });
  const [row] = await runSql<{ rehashed_at: Date | null }>(
    system.databaseUrl,
    "select rehashed_at from auth.accounts where id = $1",
    [id],
  );
  expect(row?.rehashed_at).not.toBeNull();
  expect((await rejection(auth.login({ email, password: "naive" }))).code).toBe(
    Code.Unauthenticated,
  );
});

async function insertAccount(email: string, passwordHash: string): Promise<string> {
  const [row] = await runSql<{ id: string }>(
    system.databaseUrl,
    `insert into auth.accounts (email, password_hash, created_at)
     values ($1, $2, now()) returning id`,
    [email, passwordHash],
  );
  return row?.id ?? "";
}

/** A database of before the migration, as far as it looks at it, with these addresses. */
async function databaseWith(emails: readonly string[]) {
  const url = await createTestDatabase("emails");
  const first = await readFile("services/auth/migrations/0001-accounts.sql", "utf8");
  await runSql(url, `create schema auth; ${first}`);
  await runSql(
    url,
    `insert into auth.accounts (email, password_hash, created_at)
     select email, 'x', now() from unnest($1::text[]) as email`,
    [emails],
  );
  const migrate = async () => await runSql(url, await readFile(MIGRATION, "utf8"));
  return { url, migrate };
}
