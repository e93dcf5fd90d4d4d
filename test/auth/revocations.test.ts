import { Code } from "@connectrpc/connect";
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Visibility } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { deleteExpired } from "../../services/auth/store/retention.ts";
import { loadSigningKeys } from "../../services/auth/store/signing-key-store.ts";
import { generatePrivateKey } from "../../services/auth/tokens/signing-key.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { eventually } from "../fixtures/eventually.ts";
import { runSql } from "../fixtures/postgres.ts";
import { type System, TOKENS } from "../fixtures/services.ts";
import { callInternal, connectTo, createAccount, signIn, startAuthSystem } from "./auth-system.ts";

type Page = {
  events: { eventId: string; kind: string; value: string; revokedAt: string }[];
  nextCursor: string;
  cursorExpired: boolean;
};

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
});
afterAll(async () => {
  await system.stop();
});

test("revoked-tokens tells of every kind of revocation, in order, after a cursor", async () => {
  const { nextCursor: sinceCursor } = await poll({ limit: 1_000 });
  const account = await createAccount(system.databaseUrl);
  const { auth, datasources, refreshToken } = await signIn(system.urls.auth, account);
  const { token } = await datasources.mintToken({ datasource: "demo-private" });
  const claims = claimsOf(token);

  await datasources.revokeToken({ target: { case: "token", value: token } });
  await auth.logout({ refreshToken });
  const beforeSeconds = Math.floor(Date.now() / 1_000);
  await runSql(system.databaseUrl, "update auth.accounts set disabled_at = now() where id = $1", [
    account.id,
  ]);
  const operator = connectTo(system.urls.authAdmin, { bearer: TOKENS.operator }).datasources;
  const datasource = { datasource: "prices", visibility: Visibility.PUBLIC, revokeTokens: true };
  await operator.put(datasource);
  await operator.put(datasource);

  const { events, nextCursor, cursorExpired } = await poll({ sinceCursor });
  expect(cursorExpired).toBe(false);
  expect(events.map(({ kind, value }) => ({ kind, value }))).toEqual([
    { kind: "jti", value: claims["jti"] },
    { kind: "login-session", value: claims["sid"] },
    { kind: "account", value: expect.stringMatching(new RegExp(`^${account.id}:\\d{10}$`)) },
    { kind: "datasource", value: "prices:2" },
  ]);
  expect(Number(events[2]?.value.split(":")[1])).toBeGreaterThan(beforeSeconds);
  expect(Number(events[2]?.value.split(":")[1])).toBeLessThanOrEqual(beforeSeconds + 3);
  expect(new Set(events.map((event) => event.eventId)).size).toBe(4);
  for (const { revokedAt } of events) expect(revokedAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  expect(await poll({ sinceCursor: nextCursor })).toEqual({
    events: [],
    nextCursor,
    cursorExpired: false,
  });
});

test("revoked-tokens names the login sessions of a disabled account that have live tokens, so that no clock matters", async () => {
  const account = await createAccount(system.databaseUrl);
  const { datasources } = await signIn(system.urls.auth, account);
  await signIn(system.urls.auth, account);
  const { token } = await datasources.mintToken({ datasource: "demo-private" });
  await datasources.mintToken({ datasource: "demo" });
  const { nextCursor: sinceCursor } = await poll({ limit: 1_000 });
  await runSql(system.databaseUrl, "update auth.accounts set locked_at = now() where id = $1", [
    account.id,
  ]);
  const { events } = await poll({ sinceCursor });
  expect(events.map(({ kind, value }) => ({ kind, value }))).toEqual([
    { kind: "account", value: expect.stringContaining(account.id) },
    { kind: "login-session", value: claimsOf(token)["sid"] },
  ]);
});

test("revoked-tokens names a signing key that auth starts without, once", async () => {
  const fresh = await startAuthSystem();
  onTestFinished(fresh.stop);
  const db = new pg.Pool({ connectionString: fresh.databaseUrl });
  onTestFinished(() => db.end());
  const keys = [generatePrivateKey(), generatePrivateKey()].map((text) => new Secret(text));
  const [first, second] = await loadSigningKeys(db, keys);
  const { nextCursor: sinceCursor } = await poll({ limit: 1_000 }, fresh);
  for (let start = 0; start < 2; start++) await loadSigningKeys(db, keys.slice(1));
  const { events } = await poll({ sinceCursor }, fresh);
  expect(events).toMatchObject([{ kind: "key", value: first.keyId }]);
  expect(first.keyId).not.toBe(second?.keyId);
});

test("a token that is minted while its reader is removed is refused, or revoked with the rest", async () => {
  const account = await createAccount(system.databaseUrl);
  const { datasources } = await signIn(system.urls.auth, account);
  const remover = new pg.Client({ connectionString: system.databaseUrl });
  await remover.connect();
  onTestFinished(() => remover.end());
  await remover.query("begin");
  await remover.query("delete from auth.datasource_readers where account_id = $1", [account.id]);
  const minting = datasources.mintToken({ datasource: "demo-private" }).then(
    () => "minted",
    (error: unknown) => error,
  );
  await eventually(async () => {
    const waiting =
      "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    expect(await runSql(system.databaseUrl, waiting)).toHaveLength(1);
  });
  await remover.query("commit");
  expect(await minting).toMatchObject({ code: Code.NotFound });
});

test("revoked-tokens gives everything in pages, from the oldest", async () => {
  await appendMany(5);
  const all = await poll({ limit: 1_000 });
  const paged = [];
  let sinceCursor: string | null = null;
  for (let page = 0; page < all.events.length; page++) {
    const { events, nextCursor } = await poll({ sinceCursor, limit: 1 });
    paged.push(...events);
    sinceCursor = nextCursor;
  }
  expect(paged).toEqual(all.events);
  expect(sinceCursor).toBe(all.nextCursor);
});

test("revoked-tokens tells of a cursor that it did not give out, and starts over", async () => {
  const all = await poll({ limit: 1_000 });
  const [epoch = "", last] = all.nextCursor.split(":");
  const ahead = `${epoch}:${Number(last) + 1}`;
  for (const cursor of ["", "noise", `00000000-0000-0000-0000-000000000000:1`, ahead]) {
    const page = await poll({ sinceCursor: cursor, limit: 1_000 });
    expect(page, cursor).toEqual({ ...all, cursorExpired: true });
  }
});

test("revoked-tokens never lets a reader skip an event that was appended at the same time", async () => {
  const { nextCursor } = await poll({ limit: 1_000 });
  let sinceCursor = nextCursor;
  const seen: string[] = [];
  const read = async () => {
    const page = await poll({ sinceCursor, limit: 1_000 });
    expect(page.cursorExpired).toBe(false);
    seen.push(...page.events.map((event) => event.value));
    sinceCursor = page.nextCursor;
  };
  let isAppending = true;
  const appending = Promise.all(Array.from({ length: 6 }, () => appendMany(40))).finally(() => {
    isAppending = false;
  });
  while (isAppending) await read();
  const appended = (await appending).flat();
  await read();
  expect(seen).toHaveLength(240);
  expect(new Set(seen)).toEqual(new Set(appended));
});

test("deleteExpired() forgets old revocations, and then tells whoever was left behind", async () => {
  const fresh = await startAuthSystem();
  onTestFinished(fresh.stop);
  const db = new pg.Pool({ connectionString: fresh.databaseUrl });
  onTestFinished(() => db.end());
  const append = "select auth.append_revocation('jti', $1, $2)";
  const nowMs = Date.now();
  const hoursAgo = (hours: number) => new Date(nowMs - hours * 3_600_000);
  await db.query(append, ["old", hoursAgo(3)]);
  const old = await poll({}, fresh);
  await db.query(append, ["older than any token", hoursAgo(2.5)]);
  await db.query(append, ["recent", hoursAgo(1.5)]);

  await deleteExpired(db, nowMs);
  const start = await poll({}, fresh);
  expect(start.cursorExpired).toBe(false);
  expect(start.events.map((event) => event.value)).toEqual(["recent"]);
  const behind = await poll({ sinceCursor: old.nextCursor }, fresh);
  expect(behind).toEqual({ ...start, cursorExpired: true });
  expect(await poll({ sinceCursor: start.nextCursor }, fresh)).toMatchObject({
    events: [],
    cursorExpired: false,
  });
});

test("deleteExpired() deletes ended tokens and login sessions, and nothing that is alive", async () => {
  const fresh = await startAuthSystem();
  onTestFinished(fresh.stop);
  const db = new pg.Pool({ connectionString: fresh.databaseUrl });
  onTestFinished(() => db.end());
  const account = await createAccount(fresh.databaseUrl);
  const ending = await signIn(fresh.urls.auth, account);
  const alive = await signIn(fresh.urls.auth, account);
  await ending.datasources.mintToken({ datasource: "demo-private" });
  await alive.datasources.mintToken({ datasource: "demo-private" });
  const session = claimsOf(ending.accessToken)["sid"];
  const past = "set expires_at = now() - interval '2 hours' where";
  await db.query(`update auth.login_sessions ${past} id = $1`, [session]);
  await db.query(`update auth.minted_tokens ${past} login_session = $1`, [session]);

  await deleteExpired(db, Date.now());
  for (const table of ["login_sessions", "refresh_tokens", "minted_tokens"]) {
    const { rows } = await db.query(`select count(*)::int as count from auth.${table}`);
    expect(rows, table).toEqual([{ count: 1 }]);
  }
  await alive.auth.refresh({ refreshToken: alive.refreshToken });
});

async function poll(body: object, of: System = system): Promise<Page> {
  const { status, answer } = await callInternal(of.urls.auth, "revoked-tokens", body);
  expect(status).toBe(200);
  return answer as Page;
}

let appends = 0;

/** Appends events one after the other on one connection, as fast as it goes. */
async function appendMany(times: number): Promise<string[]> {
  const client = new pg.Client({ connectionString: system.databaseUrl });
  await client.connect();
  const values = Array.from({ length: times }, () => `appended-${appends++}`);
  for (const value of values) {
    await client.query("select auth.append_revocation('jti', $1, now())", [value]);
  }
  await client.end();
  return values;
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}
