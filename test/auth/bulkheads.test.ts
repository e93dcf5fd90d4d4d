import { randomBytes } from "node:crypto";
import { Code } from "@connectrpc/connect";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { CONNECTIONS_MAX } from "../../services/auth/store/databases.ts";
import { runSql } from "../fixtures/postgres.ts";
import type { System } from "../fixtures/services.ts";
import {
  callInternal,
  connectTo,
  createAccount,
  freshAddress,
  rejection,
  signIn,
  startAuthSystem,
} from "./auth-system.ts";

/** More than can be hashed at once, and few enough for a busy machine to ask for. */
const STRANGERS = 40;

/** What hangs for one kind of work and for no other. */
const HANGING = [
  { kind: "login", table: "auth.known_networks" },
  { kind: "refresh", table: "auth.refresh_tokens" },
  { kind: "introspection", table: "auth.datasource_readers" },
  { kind: "revocations", table: "auth.revocations" },
] as const;

test.each(HANGING)(
  "$kind that hangs is shed, and the other kinds notice nothing",
  async ({ kind, table }) => {
    const { system, entrances } = await setup();
    const release = await lock(system, table);
    const crowd = Array.from({ length: 20 }, async () => await entrances[kind]());
    const others = HANGING.filter((other) => other.kind !== kind && !touches(other.kind, kind));
    for (const other of others) expect(await entrances[other.kind](), other.kind).toBe("ok");
    expect(new Set(await Promise.all(crowd))).toEqual(new Set(["shed"]));
    await release();
    expect(await entrances[kind]()).toBe("ok");
    expect(await connectionsOf(system)).toBeLessThanOrEqual(CONNECTIONS_MAX);
  },
);

test("a crowd of strangers at Login leaves clients that signed in before alone", async () => {
  const { system, entrances } = await setup();
  let isOver = false;
  const statuses: (Code | undefined)[] = [];
  const guess = async (name: string) => {
    while (!isOver) {
      const wrong = { email: `${name}@portcullis.test`, password: "x" };
      statuses.push((await rejection(connectTo(system.urls.auth).auth.login(wrong))).code);
    }
  };
  const crowd = Array.from(
    { length: STRANGERS },
    async (_, index) => await guess(`stranger-${index}`),
  );
  for (let round = 0; round < 10; round++) {
    expect(await entrances.login(), `login ${round}`).toBe("ok");
    expect(await entrances.introspection(), `introspection ${round}`).toBe("ok");
    expect(await entrances.refresh(), `refresh ${round}`).toBe("ok");
  }
  isOver = true;
  await Promise.all(crowd);
  const kinds = [Code.Unauthenticated, Code.Unavailable];
  expect(statuses.filter((code) => code !== undefined && !kinds.includes(code))).toEqual([]);
});

test("a crowd with noise at Refresh leaves the others alone", async () => {
  const { entrances, system } = await setup();
  let isOver = false;
  const sendNoise = async () => {
    const { auth } = connectTo(system.urls.auth);
    while (!isOver) {
      const refreshToken = randomBytes(32).toString("base64url");
      await rejection(auth.refresh({ refreshToken }));
    }
  };
  const crowd = Array.from({ length: 20 }, sendNoise);
  for (let round = 0; round < 10; round++) {
    expect(await entrances.login()).toBe("ok");
    expect(await entrances.introspection()).toBe("ok");
    expect(await entrances.refresh()).toBe("ok");
  }
  isOver = true;
  await Promise.all(crowd);
});

type Kind = (typeof HANGING)[number]["kind"];

/** Signing in writes a refresh token. */
function touches(kind: Kind, hanging: Kind): boolean {
  return kind === "login" && hanging === "refresh";
}

/** An account that signed in from one network, and a call of each kind as its client makes it. */
async function setup() {
  const system = await startAuthSystem();
  onTestFinished(system.stop);
  const account = await createAccount(system.databaseUrl);
  const address = freshAddress();
  const { datasources, ...client } = await signIn(system.urls.auth, account, { address });
  const { token: sessionToken } = await datasources.mintToken({ datasource: "demo-private" });
  let { refreshToken } = client;
  const entrances: Record<Kind, () => Promise<string>> = {
    login: () => resultOf(connectTo(system.urls.auth, { address }).auth.login(account)),
    refresh: () =>
      resultOf(
        client.auth.refresh({ refreshToken }).then((answer) => {
          ({ refreshToken } = answer);
        }),
      ),
    introspection: () => introspect(system, sessionToken),
    revocations: async () => {
      const { status } = await callInternal(system.urls.auth, "revoked-tokens", {});
      return status === 200 ? "ok" : status === 503 ? "shed" : `${status}`;
    },
  };
  return { system, entrances };
}

async function introspect(system: System, sessionToken: string): Promise<string> {
  const { status, answer } = await callInternal(system.urls.auth, "datasource-introspect", {
    sessionToken,
  });
  expect(status === 200 ? answer : { active: true }).toMatchObject({ active: true });
  return status === 200 ? "ok" : status === 503 ? "shed" : `${status}`;
}

async function resultOf(call: Promise<unknown>): Promise<string> {
  const [result] = await Promise.allSettled([call]);
  if (result.status === "fulfilled") return "ok";
  const { code } = await rejection(Promise.reject(result.reason));
  // An account has as many attempts waiting as a network may have; the rest is told to wait.
  const isShed = code === Code.Unavailable || code === Code.ResourceExhausted;
  return isShed ? "shed" : `${result.reason}`;
}

async function lock(system: System, table: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: system.databaseUrl });
  await client.connect();
  onTestFinished(async () => await client.end());
  await client.query("begin");
  await client.query(`lock table ${table} in access exclusive mode`);
  return async () => {
    await client.query("commit");
  };
}

async function connectionsOf(system: System): Promise<number> {
  const [row] = await runSql<{ count: number }>(
    system.databaseUrl,
    `select count(*)::int from pg_stat_activity
     where datname = current_database() and application_name like 'portcullis-auth-%'`,
  );
  return row?.count ?? 0;
}
