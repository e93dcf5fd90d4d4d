import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { LoginSessionSweep } from "../../services/auth/store/login-session-sweep.ts";
import { deleteExpired } from "../../services/auth/store/retention.ts";
import { eventually } from "../fixtures/eventually.ts";
import { runSql } from "../fixtures/postgres.ts";
import type { System } from "../fixtures/services.ts";
import { createAccount, signIn, startAuthSystem } from "./auth-system.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Of the service's own statement timeout of 800 ms, so that a busy machine does not decide. */
const STATEMENT_TIMEOUT_MS = 400;
const MANY_TOKENS = 200_000;

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
});
afterAll(async () => {
  await system.stop();
});

test("deleteExpired() gets rid of a login session with very many tokens, and of those behind it", async () => {
  const { id: accountId } = await createAccount(system.databaseUrl);
  const [large] = await expiredSessions(accountId, 1, "3 days");
  const behind = await expiredSessions(accountId, 30, "2 days");
  await runSql(
    system.databaseUrl,
    `insert into auth.refresh_tokens (digest, login_session, created_at, used_at, names_session)
     select sha256(int4send(n)), $1::uuid, now(), now(), true from generate_series(1, $2::int) n`,
    [large, MANY_TOKENS],
  );
  const db = connect();
  const sweep = new LoginSessionSweep();
  const rounds = 10;
  await deleteExpired(db, Date.now(), { sweep, onFailure: () => undefined });
  expect(await remaining([...behind])).toBe(0);
  for (let round = 0; round < rounds && (await remaining([large ?? ""])) > 0; round++) {
    await deleteExpired(db, Date.now(), { sweep, onFailure: () => undefined });
  }
  expect(await remaining([large ?? ""])).toBe(0);
  const [left] = await runSql(
    system.databaseUrl,
    "select count(*)::int as tokens from auth.refresh_tokens where login_session = $1",
    [large],
  );
  expect(left).toEqual({ tokens: 0 });
});

test("deleteExpired() goes on with the other steps when one fails, and names it", async () => {
  const { id: accountId } = await createAccount(system.databaseUrl);
  const sessions = await expiredSessions(accountId, 3, "2 days");
  await runSql(system.databaseUrl, "alter table auth.minted_tokens rename to elsewhere");
  onTestFinished(async () => {
    await runSql(system.databaseUrl, "alter table auth.elsewhere rename to minted_tokens");
  });
  const failed: string[] = [];
  await deleteExpired(connect(), Date.now(), { onFailure: (step) => failed.push(step) });
  expect(failed).toEqual(["minted tokens"]);
  expect(await remaining(sessions)).toBe(0);
  await expect(deleteExpired(connect(), Date.now())).rejects.toThrow(AggregateError);
});

test("deleteExpired() trims the audit log by its setting, and nobody else does", async () => {
  await runSql(
    system.databaseUrl,
    `insert into auth.audit_log (at, event)
     select now() - n * interval '1 day', 'test' from generate_series(20, 0, -1) n`,
  );
  const count = async () => {
    const [row] = await runSql<{ entries: number }>(
      system.databaseUrl,
      "select count(*)::int as entries from auth.audit_log where event = 'test'",
    );
    return row?.entries;
  };
  await deleteExpired(connect(), Date.now());
  expect(await count()).toBe(21);
  await deleteExpired(connect(), Date.now(), { auditKeptMs: 10.5 * DAY_MS });
  expect(await count()).toBe(11);
  const others = [
    "delete from auth.audit_log where event = 'test'",
    "set portcullis.audit_retention = '1'; delete from auth.audit_log where event = 'test'",
    "begin; select auth.trim_audit_log(now() - interval '9 days', 1); delete from auth.audit_log; commit",
    "update auth.audit_log set event = 'other'",
    "truncate auth.audit_log",
  ];
  for (const statement of others) {
    await expect(runSql(system.databaseUrl, statement), statement).rejects.toThrow("append-only");
  }
  const recent = "select auth.trim_audit_log(now() + interval '1 day', 500)";
  await expect(runSql(system.databaseUrl, recent)).rejects.toThrow("keeps its last day");
  expect(await count()).toBe(11);
});

test("auth trims its audit log by AUDIT_RETENTION_DAYS, and forgets networks", async () => {
  const trimming = await startAuthSystem({ AUDIT_RETENTION_DAYS: "7" });
  onTestFinished(trimming.stop);
  const account = await createAccount(trimming.databaseUrl);
  await signIn(trimming.urls.auth, account);
  await runSql(
    trimming.databaseUrl,
    `with old as (update auth.known_networks set last_used_at = now() - interval '91 days')
     insert into auth.audit_log (at, event) values (now() - interval '8 days', 'test')`,
  );
  await trimming.services.auth.restart();
  await eventually(async () => {
    const [left] = await runSql(
      trimming.databaseUrl,
      `select (select count(*)::int from auth.audit_log where event = 'test') as old,
              (select count(*)::int from auth.audit_log where event <> 'test') as recent,
              (select count(*)::int from auth.known_networks) as networks`,
    );
    expect(left).toEqual({ old: 0, recent: 1, networks: 0 });
  });
});

function connect(): pg.Pool {
  const pool = new pg.Pool({
    connectionString: system.databaseUrl,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  });
  onTestFinished(async () => await pool.end());
  return pool;
}

async function expiredSessions(accountId: string, count: number, age: string): Promise<string[]> {
  const rows = await runSql<{ id: string }>(
    system.databaseUrl,
    `with session as (
       insert into auth.login_sessions (account_id, created_at, expires_at)
       select $1, now() - interval '40 days', now() - $3::interval from generate_series(1, $2::int)
       returning id
     ), token as (
       insert into auth.refresh_tokens (digest, login_session, created_at, names_session)
       select sha256(uuid_send(id)), id, now(), true from session
     )
     select id from session`,
    [accountId, count, age],
  );
  return rows.map(({ id }) => id);
}

async function remaining(sessions: readonly string[]): Promise<number> {
  const [row] = await runSql<{ count: number }>(
    system.databaseUrl,
    "select count(*)::int from auth.login_sessions where id = any($1::uuid[])",
    [sessions],
  );
  return row?.count ?? -1;
}
