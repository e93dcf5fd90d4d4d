import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";

const POLICIES = {
  plenty: { key: "text", algorithm: "token_bucket", limit: 1_000_000, period: "1d" },
  window: { key: "text", algorithm: "sliding_window", limit: 1_000_000, period: "1d" },
  places: { key: "text", algorithm: "concurrency", limit: 100 },
};
/** Bystanders are asked for so long while a row is held. */
const HELD_MS = 2_000;
const BYSTANDERS = 6;
/** More time for a decision than the default: what is shown is who is refused, on a busy machine. */
const ENVIRONMENT = { LIMITER_DECISION_TIMEOUT_MS: "600" };

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

type Call = readonly [method: string, body: object];

const KINDS: ReadonlyArray<{
  kind: string;
  /** Makes the row that is going to be held. */
  before: readonly Call[];
  hold: string;
  /** What needs that row. */
  victims: readonly Call[];
}> = [
  {
    kind: "a bucket that is charged again and again",
    before: [["Consume", on("plenty", "held")]],
    hold: "select 1 from limiter.buckets for update",
    victims: [["Consume", on("plenty", "held")]],
  },
  {
    kind: "a bucket that is locked and read",
    before: [["Consume", on("window", "held")]],
    hold: "update limiter.buckets set amount = amount",
    victims: [["Consume", on("window", "held")]],
  },
  {
    kind: "a bucket of a group",
    before: [["Consume", on("plenty", "held")]],
    hold: "delete from limiter.buckets",
    victims: [
      ["Consume", { buckets: [...on("plenty", "held").buckets, ...on("plenty", "key-1").buckets] }],
    ],
  },
  {
    kind: "a bucket that is reset",
    before: [["Consume", on("plenty", "held")]],
    hold: "select 1 from limiter.buckets for update",
    victims: [["Reset", { policy: "plenty", key: "held" }]],
  },
  {
    kind: "a lease",
    before: [["Acquire", lease("held", "held")]],
    hold: "select 1 from limiter.leases for update",
    victims: [["Renew", { leaseIds: ["held"], ttl: "30s" }]],
  },
];

test.each(KINDS)(
  "who needs a held row is refused alone: $kind",
  async ({ before, hold, victims }) => {
    const { limiter, databaseUrl } = await setup();
    for (const call of before) expect((await limiter.rpc(...call)).status).toBe(200);
    await expectAlone(limiter, databaseUrl, hold, victims);
  },
);

test("who needs a row that somebody else is making is refused alone", async () => {
  const first = await setup();
  await first.limiter.rpc("Consume", on("plenty", "held"));
  const [row] = await runSql<{ id: string }>(
    first.databaseUrl,
    "select b.id from limiter.buckets b",
  );
  await runSql(first.databaseUrl, "delete from limiter.buckets");
  const limiter = await start(first.databaseUrl);
  const hold = `insert into limiter.buckets (id, expires_ms) values ('${row?.id}', 9e15)`;
  await expectAlone(limiter, first.databaseUrl, hold, [["Consume", on("plenty", "held")]]);
});

test("a refund of a held row is refused alone", async () => {
  const { limiter, databaseUrl } = await setup();
  const { body } = await limiter.rpc("Consume", on("plenty", "held"));
  const [, receipt] = /"receipt":"([^"]+)"/.exec(JSON.stringify(body)) ?? [];
  const hold = "select 1 from limiter.buckets for update";
  await expectAlone(limiter, databaseUrl, hold, [["Refund", { receipt }]]);
});

test("a table that is locked refuses all, and all are decided after it", async () => {
  const { limiter, databaseUrl } = await setup();
  await limiter.rpc("Consume", on("plenty", "key-1"));
  const holder = await hold(databaseUrl, "lock table limiter.buckets");
  const answers = await Promise.all(
    [1, 2, 3].map(async (i) => await limiter.rpc("Consume", on("plenty", `key-${i}`))),
  );
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
  await holder.query("rollback");
  await eventually(async () => {
    expect((await limiter.rpc("Consume", on("plenty", "key-1"))).status).toBe(200);
  }, 1_000);
});

/** Holds a row for a while, and expects that nobody but the victims notices. */
async function expectAlone(
  limiter: LimiterProcess,
  databaseUrl: string,
  sql: string,
  victims: readonly Call[],
): Promise<void> {
  const holder = await hold(databaseUrl, sql);
  let isHeld = true;
  const refused: number[] = [];
  const suffering = victims.flatMap((call) =>
    [0, 1].map(async () => {
      while (isHeld) refused.push((await limiter.rpc(...call)).status);
    }),
  );
  const bystanders = Array.from({ length: BYSTANDERS }, async (_, client) => {
    const statuses: number[] = [];
    for (let i = 0; isHeld; i++) {
      for (const call of bystandersCalls(client, i)) {
        statuses.push((await limiter.rpc(...call)).status);
      }
    }
    return statuses;
  });
  await sleep(HELD_MS);
  isHeld = false;
  const statuses = (await Promise.all(bystanders)).flat();
  await Promise.all(suffering);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  expect(statuses.length).toBeGreaterThan(50);
  expect(new Set(refused)).toEqual(new Set([503]));
  await holder.query("rollback");
  for (const call of victims) {
    await eventually(async () => {
      expect((await limiter.rpc(...call)).status).toBe(200);
    }, 1_000);
  }
}

/** Old keys and new ones, groups, leases and keys of idempotency. */
function bystandersCalls(client: number, i: number): Call[] {
  const name = `by-${client}-${i}`;
  return [
    ["Consume", on("plenty", `key-${i % 10}`)],
    ["Consume", { ...on("plenty", name), idempotencyKey: name }],
    ["Consume", { buckets: [...on("plenty", name).buckets, ...on("window", name).buckets] }],
    ["Acquire", lease(name, name)],
    ["Renew", { leaseIds: [name], ttl: "30s" }],
  ];
}

async function hold(databaseUrl: string, sql: string): Promise<pg.Client> {
  const holder = new pg.Client({ connectionString: databaseUrl });
  holder.on("error", () => undefined);
  await holder.connect();
  stops.push(async () => await holder.end());
  await holder.query("begin");
  await holder.query(sql);
  return holder;
}

function on(policy: string, key: string) {
  return { buckets: [{ policy, key }] };
}

function lease(key: string, leaseId: string) {
  return { policy: "places", key, leaseId, ttl: "30s" };
}

async function start(databaseUrl: string): Promise<LimiterProcess> {
  const limiter = await startLimiter({ databaseUrl, policies: POLICIES, environment: ENVIRONMENT });
  stops.push(limiter.stop);
  return limiter;
}

async function setup() {
  const databaseUrl = await createTestDatabase("held");
  return { databaseUrl, limiter: await start(databaseUrl) };
}
