import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Visibility } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { eventually } from "../fixtures/eventually.ts";
import { runSql } from "../fixtures/postgres.ts";
import { type System, TOKENS } from "../fixtures/services.ts";
import { connectTo, createAccount, rejection, signIn, startAuthSystem } from "./auth-system.ts";

/** Until all services have started on a busy machine. */
const OPEN_MS = 10_000;

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
});
afterAll(async () => {
  await system.stop();
});

test("the audit log tells what happened to an account, and why a login failed", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth, datasources, refreshToken } = await signIn(system.urls.auth, account);
  const { token } = await datasources.mintToken({ datasource: "demo-private" });
  await datasources.revokeToken({ target: { case: "token", value: token } });
  await auth.refresh({ refreshToken });
  await rejection(auth.refresh({ refreshToken }));
  await rejection(auth.login({ email: account.email, password: "wrong" }));
  await runSql(system.databaseUrl, "update auth.accounts set locked_at = now() where id = $1", [
    account.id,
  ]);
  await rejection(auth.login(account));

  // Answers do not wait for what is only written down about them.
  await eventually(async () => {
    const entries = await runSql(
      system.databaseUrl,
      `select event, detail ->> 'reason' as reason, detail ->> 'by' as by
       from auth.audit_log where account_id = $1 order by id`,
      [account.id],
    );
    expect(entries).toEqual([
      { event: "login.succeeded", reason: null, by: null },
      { event: "token.revoked", reason: null, by: "owner" },
      { event: "login-session.revoked", reason: "refresh-token-reused", by: null },
      { event: "login.failed", reason: "wrong-password", by: null },
      { event: "login.failed", reason: "locked", by: null },
    ]);
  });
});

test("a limited login leaves one log line and one entry, however often it is tried", async () => {
  const account = await createAccount(system.databaseUrl);
  const { auth } = connectTo(system.urls.auth);
  const guess = async () => await rejection(auth.login({ ...account, password: "wrong" }));
  for (let round = 0; round < 12; round++) await guess();
  expect((await guess()).code).toBe(Code.ResourceExhausted);
  await eventually(async () => {
    const entries = await runSql<{ detail: object }>(
      system.databaseUrl,
      "select detail from auth.audit_log where account_id = $1 and event = 'login.limited'",
      [account.id],
    );
    expect(entries).toEqual([
      {
        detail: {
          policy: "login.account.network",
          retryAfterMs: expect.any(Number),
          passedOver: expect.any(Number),
        },
      },
    ]);
  });
  const lines = system.services.auth.logs().filter(({ msg }) => msg === "a login was limited");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ policy: "login.account.network" });
  expect(JSON.stringify(lines)).not.toContain(account.email);
});

test("what operators do is written down, and that it was them", async () => {
  const token = TOKENS.operator;
  const { datasources } = connectTo(system.urls.authAdmin, { bearer: token });
  const datasource = "audited.v1";
  await datasources.put({ datasource, visibility: Visibility.PUBLIC, revokeTokens: true });
  const minted = await connectTo(system.urls.auth).datasources.mintToken({ datasource });
  const target = { case: "token", value: minted.token } as const;
  const operator = connectTo(system.urls.auth, { bearer: token }).datasources;
  await operator.revokeToken({ target });
  await operator.revokeToken({ target });
  const entries = await runSql(
    system.databaseUrl,
    `select event, detail ->> 'by' as by, detail ->> 'revokesTokens' as revokes,
            detail ->> 'again' as again
     from auth.audit_log where detail ->> 'datasource' = $1 order by id`,
    [datasource],
  );
  expect(entries).toEqual([
    { event: "datasource.put", by: "operator", revokes: "true", again: null },
    { event: "token.revoked", by: "operator", revokes: null, again: null },
    { event: "token.revoked", by: "operator", revokes: null, again: "true" },
  ]);
});

test("the audit log keeps neither addresses nor the e-mail of an unknown account", async () => {
  const { auth, address } = connectTo(system.urls.auth);
  await rejection(auth.login({ email: "nobody@portcullis.test", password: "secret guess" }));
  const row = await eventually(async () => {
    const [found] = await runSql<{ log: string }>(
      system.databaseUrl,
      "select string_agg(l::text, ' ') as log from auth.audit_log l where detail ->> 'reason' = 'unknown'",
    );
    expect(found?.log).toContain("login.failed");
    return found;
  });
  expect(row?.log).not.toContain("nobody");
  expect(row?.log).not.toContain("secret");
  expect(row?.log).not.toContain(address);
});

test("the audit log cannot be changed, not even by its owner", async () => {
  await signIn(system.urls.auth, await createAccount(system.databaseUrl));
  const changes = [
    "update auth.audit_log set event = 'nothing'",
    "delete from auth.audit_log",
    "truncate auth.audit_log",
  ];
  for (const change of changes) {
    await expect(runSql(system.databaseUrl, change)).rejects.toThrow("append-only");
  }
});

test("a failed login is answered even when it cannot be written down", async () => {
  const account = await createAccount(system.databaseUrl);
  await runSql(
    system.databaseUrl,
    "alter table auth.audit_log add constraint full_disk check (event <> 'login.failed') not valid",
  );
  const { auth } = connectTo(system.urls.auth);
  const error = await rejection(auth.login({ email: account.email, password: "wrong" }));
  expect(error.message).toBe("[unauthenticated] wrong e-mail address or password");
  await eventually(() => {
    const messages = system.services.auth.logs().map((line) => line.msg);
    expect(messages).toContain("a failed login is missing in the audit log");
  });
});

test("fail-open is written down when it begins and when it ends, also if the database was away", async () => {
  const until = new Date(Date.now() + OPEN_MS).toISOString();
  const open = await startAuthSystem({
    SECURITY_LIMITER_FAILURE_MODE: "fail-open",
    SECURITY_LIMITER_FAIL_OPEN_CHANGE: "CHG-4711",
    SECURITY_LIMITER_FAIL_OPEN_UNTIL: until,
  });
  onTestFinished(open.stop);
  await runSql(
    open.databaseUrl,
    "alter table auth.audit_log add constraint full_disk check (event <> 'limits.fail-closed')",
  );
  await eventually(() => {
    const messages = open.services.auth.logs().map((line) => line.msg);
    expect(messages).toContain("a change of the failure mode is not yet audited");
  }, 2 * OPEN_MS);
  await runSql(open.databaseUrl, "alter table auth.audit_log drop constraint full_disk");

  const detail = { surface: "api", change: "CHG-4711", until };
  const rows = await eventually(async () => {
    const found = await runSql<{ at: Date; event: string; detail: object }>(
      open.databaseUrl,
      "select at, event, detail from auth.audit_log where event like 'limits.%' order by id",
    );
    expect(found).toMatchObject([
      { event: "limits.fail-open", detail },
      { event: "limits.fail-closed", detail },
    ]);
    return found;
  });
  const [opened, closed] = rows.map(({ at }) => at.getTime());
  expect(opened).toBeLessThan(Date.parse(until));
  expect(closed).toBeGreaterThanOrEqual(Date.parse(until));
});
