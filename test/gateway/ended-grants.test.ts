import { randomUUID } from "node:crypto";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, textOf } from "../fixtures/call.ts";
import { runSql } from "../fixtures/postgres.ts";
import { DEMO_ACCOUNT, type System } from "../fixtures/services.ts";
import { freshAddress, mint, publish, startGatewaySystem } from "./gateway-system.ts";
import { connect, type Frame, type RealtimeClient } from "./realtime-client.ts";

/** What a revocation may take from the change to the end of the stream. */
const REVOKED_WITHIN_MS = 2_000;

let system: System;
const clients: RealtimeClient[] = [];
beforeAll(async () => {
  system = await startGatewaySystem();
});
afterAll(async () => {
  for (const { socket } of clients) socket.terminate();
  await system.stop();
});

/** A stream of an account of its own on a private datasource of its own, by token. */
type Stream = {
  client: RealtimeClient;
  token: string;
  /** What rows about it can be found by. */
  ids: { datasource: string; account: string; session: string; jti: string; key: string };
};

/** What ends a grant, as the row that somebody changes by hand. */
const CAUSES: Readonly<Record<string, { sql: string; by: keyof Stream["ids"] }>> = {
  "its reader is removed": {
    sql: "delete from auth.datasource_readers where account_id = $1::uuid",
    by: "account",
  },
  "its right to read is given to another account": {
    sql: `update auth.datasource_readers set account_id = (
            select id from auth.accounts where email = '${DEMO_ACCOUNT.email}'
          ) where account_id = $1::uuid`,
    by: "account",
  },
  "its account is disabled": {
    sql: "update auth.accounts set disabled_at = now() where id = $1::uuid",
    by: "account",
  },
  "its account is locked": {
    sql: "update auth.accounts set locked_at = now() where id = $1::uuid",
    by: "account",
  },
  "its account is deleted": {
    sql: "delete from auth.accounts where id = $1::uuid",
    by: "account",
  },
  "its login session is revoked": {
    sql: "update auth.login_sessions set revoked_at = now() where id = $1::uuid",
    by: "session",
  },
  "its login session is deleted": {
    sql: "delete from auth.login_sessions where id = $1::uuid",
    by: "session",
  },
  "its token is revoked": {
    sql: "update auth.minted_tokens set revoked_at = now() where jti = $1::uuid",
    by: "jti",
  },
  "its token is deleted": {
    sql: "delete from auth.minted_tokens where jti = $1::uuid",
    by: "jti",
  },
  "its datasource is deleted": {
    sql: "delete from auth.datasources where name = $1",
    by: "datasource",
  },
  "its datasource has a new version": {
    sql: "update auth.datasources set access_version = access_version + 1 where name = $1",
    by: "datasource",
  },
};

describe("a live stream ends within the revocation bound when", () => {
  for (const [cause, { sql, by }] of Object.entries(CAUSES)) {
    test.concurrent(cause, async ({ expect }) => {
      const { client, ids, token } = await openStream();
      const bystander = await openStream();
      await runSql(system.databaseUrl, sql, [ids[by]]);
      expect(await client.find(isStatus, REVOKED_WITHIN_MS)).toMatchObject({
        status: { datasource: ids.datasource, state: "STATE_ENDED", reason: "revoked" },
      });
      const again = await client.ask({ subscribe: { datasource: ids.datasource, token } });
      expect(again).toMatchObject({ error: { code: "unauthenticated" } });
      await publish(system.urls, bystander.ids.datasource, "goes on");
      await bystander.client.find(({ update }) => update?.json === "goes on");
    });
  }
});

test("a public stream without a token ends when its datasource is made private or deleted by hand", async () => {
  const names = [`p-${randomUUID()}`, `p-${randomUUID()}`];
  const client = await join();
  for (const name of names) {
    await runSql(system.databaseUrl, INSERT_DATASOURCE, [name, "public"]);
    expect(await client.ask({ subscribe: { datasource: name } })).toHaveProperty("ack");
  }
  const [first, second] = names;
  await runSql(
    system.databaseUrl,
    "update auth.datasources set visibility = 'private' where name = $1",
    [first],
  );
  await runSql(system.databaseUrl, "delete from auth.datasources where name = $1", [second]);
  for (const name of names) {
    const isEnd = ({ status }: Frame) => status?.datasource === name;
    expect(await client.find(isEnd, REVOKED_WITHIN_MS)).toMatchObject({
      status: { reason: "revoked" },
    });
  }
});

test("a stream goes on when its private datasource becomes public", async () => {
  const { client, ids } = await openStream();
  await runSql(
    system.databaseUrl,
    "update auth.datasources set visibility = 'public' where name = $1",
    [ids.datasource],
  );
  await runSql(system.databaseUrl, "delete from auth.datasource_readers where datasource = $1", [
    ids.datasource,
  ]);
  const marker = await openStream();
  await runSql(system.databaseUrl, "delete from auth.minted_tokens where jti = $1::uuid", [
    marker.ids.jti,
  ]);
  await marker.client.find(isStatus, REVOKED_WITHIN_MS);
  await publish(system.urls, ids.datasource, "for all");
  await client.find(({ update }) => update?.json === "for all");
});

test("tokens of a deleted datasource do not open a new one of the same name", async () => {
  const { client, ids, token } = await openStream();
  const { datasource } = ids;
  await runSql(system.databaseUrl, "delete from auth.datasources where name = $1", [datasource]);
  await client.find(isStatus, REVOKED_WITHIN_MS);
  await runSql(system.databaseUrl, INSERT_DATASOURCE, [datasource, "private"]);
  await runSql(system.databaseUrl, INSERT_READER, [datasource, ids.account]);
  const again = await client.ask({ subscribe: { datasource, token } });
  expect(again).toMatchObject({ error: { code: "unauthenticated" } });
});

test("streams end when the key that signed their tokens is taken away", async () => {
  const { client, ids } = await openStream();
  await runSql(system.databaseUrl, "select auth.append_revocation('key', $1, now())", [ids.key]);
  expect(await client.find(isStatus, REVOKED_WITHIN_MS)).toMatchObject({
    status: { reason: "revoked" },
  });
});

const INSERT_DATASOURCE =
  "insert into auth.datasources (name, visibility, created_at) values ($1, $2, now())";
const INSERT_READER =
  "insert into auth.datasource_readers (datasource, account_id) values ($1, $2::uuid)";

function isStatus({ status }: Frame): boolean {
  return status !== undefined;
}

async function join(): Promise<RealtimeClient> {
  const client = await connect(system.urls.gateway, { address: freshAddress() });
  clients.push(client);
  return client;
}

async function openStream(): Promise<Stream> {
  const { urls, databaseUrl } = system;
  const name = randomUUID();
  const datasource = `d-${name}`;
  await runSql(databaseUrl, INSERT_DATASOURCE, [datasource, "private"]);
  const email = `${name}@portcullis.test`;
  const [account] = await runSql<{ id: string }>(
    databaseUrl,
    `insert into auth.accounts (email, password_hash, created_at)
     select $1, password_hash, now() from auth.accounts where email = $2 returning id`,
    [email, DEMO_ACCOUNT.email],
  );
  await runSql(databaseUrl, INSERT_READER, [datasource, account?.id]);
  const login = await call(
    `${urls.auth}/portcullis.auth.v1.AuthService/Login`,
    { email, password: DEMO_ACCOUNT.password },
    { headers: { "x-forwarded-for": freshAddress() } },
  );
  const token = await mint(urls, datasource, textOf(login, "accessToken"));
  const client = await join();
  const answer = await client.ask({ subscribe: { datasource, token } });
  if (answer.ack === undefined) throw new Error(JSON.stringify(answer));
  const { jti = "", sub = "", ["sid"]: session } = decodeJwt(token);
  const key = decodeProtectedHeader(token).kid ?? "";
  const ids = { datasource, account: sub, session: String(session), jti, key };
  return { client, token, ids };
}
