import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { writePolicies } from "../fixtures/policies.ts";
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

/** What a session of the gateway holds at most. */
const STREAMS = 50;
/** What a browser has to one host without HTTP/2. */
const CONNECTIONS = 6;
const PAGE = Array.from({ length: STREAMS }, (_, index) => `page.${index}`);

type Datasources = ReturnType<typeof connectTo>["datasources"];

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
  await runSql(
    system.databaseUrl,
    `insert into auth.datasources (name, visibility, created_at)
     select name, 'public', now() from unnest($1::text[]) as name`,
    [PAGE],
  );
});
afterAll(async () => {
  await system.stop();
});

test("MintTokens answers each datasource in its place: a token, or why there is none", async () => {
  const account = await createAccount(system.databaseUrl);
  const { datasources } = await signIn(system.urls.auth, account);
  const wanted = ["page.0", "unknown", "demo-private", "Not A Name", "page.0"];
  const { results } = await datasources.mintTokens({ datasources: wanted });
  expect(results.map(({ datasource }) => datasource)).toEqual(wanted);
  expect(results.map(({ error }) => error?.code)).toEqual([
    ...[undefined, "not_found", undefined, "invalid_argument", undefined],
  ]);
  expect(results[3]?.error?.message).toContain("datasources[3]");
  const minted = results.filter(({ token }) => token !== undefined);
  expect(new Set(minted.map(({ token }) => token)).size).toBe(3);
  for (const { datasource, token, expiresAt } of minted) {
    expect(expiresAt && timestampMs(expiresAt)).toBeGreaterThan(Date.now());
    const { answer } = await callInternal(system.urls.auth, "datasource-introspect", {
      sessionToken: token,
    });
    expect(answer).toMatchObject({ active: true, datasource, subject: account.id });
  }
});

test("MintTokens in JSON has a token or an error, and never both", async () => {
  const url = `${system.urls.auth}/portcullis.auth.v1.DatasourceService/MintTokens`;
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": freshAddress() },
    body: JSON.stringify({ datasources: ["page.0", "demo-private"] }),
  });
  expect(await response.json()).toEqual({
    results: [
      { datasource: "page.0", token: expect.any(String), expiresAt: expect.any(String) },
      {
        datasource: "demo-private",
        error: { code: "unauthenticated", message: "a valid access token is required" },
      },
    ],
  });
});

test("MintTokens refuses no datasource, and more than a request may have", async () => {
  const { datasources } = connectTo(system.urls.auth);
  for (const length of [0, 65]) {
    const wanted = Array.from({ length }, () => "page.0");
    const error = await rejection(datasources.mintTokens({ datasources: wanted }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(/^datasources: /);
  }
  const most = Array.from({ length: 64 }, () => "page.0");
  expect((await datasources.mintTokens({ datasources: most })).results).toHaveLength(64);
});

test("MintTokens is for whoever has no bearer, or a right one", async () => {
  for (const bearer of ["not.a.token", "development-operator-token"]) {
    const { datasources } = connectTo(system.urls.auth, { bearer });
    const minting = datasources.mintTokens({ datasources: ["page.0"] });
    expect((await rejection(minting)).code).toBe(Code.Unauthenticated);
  }
});

test("a full page loads and reloads twice for four people behind one address, signed in", async () => {
  const address = freshAddress();
  const people = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const account = await createAccount(system.databaseUrl);
      return (await signIn(system.urls.auth, account, { address })).accessToken;
    }),
  );
  const clients = people.map((bearer) => connectTo(system.urls.auth, { address, bearer }));
  await loadPages(clients.map(({ datasources }) => datasources));
});

test("a full page loads and reloads twice for four people behind one address, anonymous", async () => {
  const address = freshAddress();
  const clients = Array.from({ length: 4 }, () => connectTo(system.urls.auth, { address }));
  await loadPages(clients.map(({ datasources }) => datasources));
});

test("minting is limited by account, and by address for the anonymous", async () => {
  const account = await createAccount(system.databaseUrl);
  const first = await signIn(system.urls.auth, account);
  const elsewhere = await signIn(system.urls.auth, account);
  await expectLimit([first.datasources, elsewhere.datasources], 200);
  const { datasources, address } = connectTo(system.urls.auth);
  await expectLimit([datasources, connectTo(system.urls.auth, { address }).datasources], 800);
});

test("MintTokens refuses for good what the limits never let pass at once", async () => {
  const small = await writePolicies((yaml) =>
    yaml.replace("limit: 300\n    period: 1m\n    burst: 800", "limit: 10\n    period: 1m"),
  );
  onTestFinished(small.remove);
  const limited = await startAuthSystem(small.environment);
  onTestFinished(limited.stop);
  const { datasources } = connectTo(limited.urls.auth);
  const error = await rejection(datasources.mintTokens({ datasources: PAGE.slice(0, 11) }));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toMatch(/^datasources: /);
  // Nothing was taken for it.
  const { results } = await datasources.mintTokens({ datasources: PAGE.slice(0, 10) });
  expect(results).toHaveLength(10);
});

/** Each opens its page with a request for each stream, reloads it, and again in one request. */
async function loadPages(people: readonly Datasources[]): Promise<void> {
  for (const _load of ["open", "reload"]) await Promise.all(people.map(mintOneByOne));
  for (const person of people) {
    const { results } = await person.mintTokens({ datasources: PAGE });
    expect(results.filter(({ token }) => token !== undefined)).toHaveLength(STREAMS);
  }
}

/** As a browser does, a few at a time. */
async function mintOneByOne(datasources: Datasources): Promise<void> {
  const waiting = [...PAGE];
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      await mintPatiently(datasources, next);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
}

/** Asks again where a busy machine shed it; a limit is never asked twice. */
async function mintPatiently(datasources: Datasources, datasource: string): Promise<void> {
  await datasources.mintToken({ datasource }).catch(async (error: unknown) => {
    expect(ConnectError.from(error).code).toBe(Code.Unavailable);
    await mintPatiently(datasources, datasource);
  });
}

/** Mints in turn until one is refused: about as many as the policy says, whoever of them asks. */
async function expectLimit(clients: readonly Datasources[], limit: number): Promise<void> {
  let minted = 0;
  const mintForEver = async () => {
    for (;;) {
      for (const datasources of clients) {
        await datasources.mintTokens({ datasources: PAGE.slice(0, 10) });
        minted += 10;
      }
    }
  };
  const refusal = await rejection(mintForEver());
  expect(refusal.code).toBe(Code.ResourceExhausted);
  expect(Number(refusal.metadata.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(minted).toBeGreaterThanOrEqual(limit);
  // Some come back meanwhile, the more the slower the machine is.
  expect(minted).toBeLessThan(limit * 2);
}
