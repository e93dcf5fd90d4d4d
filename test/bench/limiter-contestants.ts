import { Redis } from "ioredis";
import pg from "pg";
import {
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
} from "rate-limiter-flexible";
import { BucketDirectory } from "../../services/limiter/decisions/bucket-directory.ts";
import { Limiter } from "../../services/limiter/decisions/limiter.ts";
import { Engine } from "../../services/limiter/engine/engine.ts";
import { createEvents } from "../../services/limiter/events.ts";
import { parsePolicies } from "../../services/limiter/rules/parse-policies.ts";
import { PostgresStore } from "../../services/limiter/store/postgres-store.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { createClientDecider, createUnaryDecider } from "./limiter-by-rpc.ts";
import { createRawUpsert } from "./limiter-raw-upsert.ts";
import { EXHAUSTED_KEYS, type Workload } from "./limiter-workloads.ts";

export const CONTESTANTS = [
  "engine",
  "engine, by its client",
  "engine, by unary RPC",
  "raw sorted-batch upsert",
  "one upsert per decision",
  "rate-limiter-flexible, Postgres",
  "rate-limiter-flexible, Redis",
  "rate-limiter-flexible, memory",
] as const;

export type Contestant = (typeof CONTESTANTS)[number];

/** Decides one request for numbered keys; returns whether it was allowed. */
export type Decider = {
  decide(keys: readonly number[]): Promise<boolean>;
  /** Consumes every key of the workload once. */
  warmUp?(): Promise<void>;
  close(): Promise<void>;
};

export type Places = {
  postgresUrl: string;
  redisPort: number | undefined;
  /** A limiter in a separate process, on the same Postgres. */
  limiterUrl: string;
};

/** More than any run consumes. */
const PLENTY = 1_000_000_000;
const HOUR_SECONDS = 3_600;
/** The number of connections that a service of this size would get. */
const POOL_SIZE = 16;
/** Keys charged at a time when every key is consumed for the first time. */
const WARMED_AT_ONCE = 4_000;

const LIMIT = { key: "text", algorithm: "token_bucket", period: "1h" };

export const BENCH_POLICIES = {
  plenty: { ...LIMIT, limit: PLENTY },
  exhausted: { ...LIMIT, limit: 1, period: "1d" },
};

export async function createDecider(
  contestant: Contestant,
  places: Places,
  workload: Workload,
): Promise<Decider> {
  switch (contestant) {
    case "engine":
      return createEngineDecider(places.postgresUrl, workload);
    case "engine, by its client":
      return await createClientDecider(places.limiterUrl);
    case "engine, by unary RPC":
      return createUnaryDecider(places.limiterUrl);
    case "raw sorted-batch upsert":
      return createRawUpsert(places.postgresUrl, workload);
    case "one upsert per decision":
      return await createSingleUpsert(places.postgresUrl);
    case "rate-limiter-flexible, Postgres":
      return await createFlexiblePostgres(places.postgresUrl, workload);
    case "rate-limiter-flexible, Redis":
      return createFlexibleRedis(places.redisPort ?? 0);
    case "rate-limiter-flexible, memory":
      return createFlexibleMemory();
  }
}

function createEngineDecider(url: string, workload: Workload): Decider {
  const policies = parsePolicies({ policies: BENCH_POLICIES });
  const store = new PostgresStore({ url, synchronousCommit: "on", holdTimeoutMs: 3_000 });
  const engine = new Engine(store, {
    createEvents: (queueDepth) => createEvents(policies, queueDepth),
    onFailure: (error) => {
      throw error;
    },
  });
  const limiter = new Limiter({ engine, waitMs: 5_000 });
  const salts = [new Secret("a salt for benchmarks")];
  const directory = new BucketDirectory({ policies, salts, ipv6PrefixBits: 64 });
  const demand = (key: number) => {
    const found = directory.find(key < 0 ? "exhausted" : "plenty", `key-${key}`, false);
    if (found.kind !== "found") throw new Error(`no bucket for ${key}`);
    return { target: found.target, cost: 1 };
  };
  return {
    async decide(keys) {
      const decision = await limiter.consume(keys.map(demand));
      return decision !== "key-reused" && decision.allowed;
    },
    async warmUp() {
      for (let from = 0; from < workload.keys; from += WARMED_AT_ONCE) {
        const count = Math.min(WARMED_AT_ONCE, workload.keys - from);
        await Promise.all(
          Array.from({ length: count }, (_, index) => limiter.consume([demand(from + index)])),
        );
      }
    },
    async close() {
      await engine.drain();
      await store.close();
    },
  };
}

/** The best that one statement can do for a decision: a token bucket as an upsert. */
async function createSingleUpsert(url: string): Promise<Decider> {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE });
  await pool.query(
    "create table if not exists single_upserts (key text primary key, tat_ms float8 not null)",
  );
  const intervalMs = (HOUR_SECONDS * 1_000) / PLENTY;
  const decideOne = async (key: number) => {
    const isExhausted = key < 0;
    const result = await pool.query({
      name: "upsert",
      text: `
        insert into single_upserts as s (key, tat_ms)
        values ($1, date_part('epoch', clock_timestamp()) * 1000 + $2::float8)
        on conflict (key) do update
        set tat_ms = greatest(s.tat_ms, date_part('epoch', clock_timestamp()) * 1000) + $2::float8
        where greatest(s.tat_ms, date_part('epoch', clock_timestamp()) * 1000) + $2::float8
          <= date_part('epoch', clock_timestamp()) * 1000 + $3::float8
        returning 1`,
      values: isExhausted
        ? [`key-${key}`, 86_400_000, 86_400_000]
        : [`key-${key}`, intervalMs, HOUR_SECONDS * 1_000],
    });
    return result.rowCount === 1;
  };
  return { decide: inSequence(decideOne), close: async () => await pool.end() };
}

async function createFlexiblePostgres(url: string, workload: Workload): Promise<Decider> {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE });
  const create = async (keyPrefix: string, points: number) =>
    await new Promise<RateLimiterPostgres>((resolve, reject) => {
      const options = { storeClient: pool, tableName: "flexible", keyPrefix, points };
      const limiter = new RateLimiterPostgres(
        { ...options, duration: HOUR_SECONDS },
        (error?: Error) => (error ? reject(error) : resolve(limiter)),
      );
    });
  const plenty = await create("plenty", PLENTY);
  const exhausted = await create("exhausted", 1);
  return {
    decide: consumeFlexible(plenty, exhausted),
    /** Inserts each key as consumed once; consuming them would take minutes. */
    async warmUp() {
      await pool.query(
        `insert into flexible (key, points, expire)
         select 'plenty:key-' || n, 1, $2::bigint from generate_series(0, $1::int - 1) n
         on conflict (key) do nothing`,
        [workload.keys, Date.now() + HOUR_SECONDS * 1_000],
      );
    },
    close: async () => await pool.end(),
  };
}

function createFlexibleRedis(port: number): Decider {
  const redis = new Redis({ host: "127.0.0.1", port, enableOfflineQueue: true });
  const options = { storeClient: redis, duration: HOUR_SECONDS };
  const plenty = new RateLimiterRedis({ ...options, keyPrefix: "plenty", points: PLENTY });
  const exhausted = new RateLimiterRedis({ ...options, keyPrefix: "exhausted", points: 1 });
  return {
    decide: consumeFlexible(plenty, exhausted),
    async close() {
      redis.disconnect();
    },
  };
}

function createFlexibleMemory(): Decider {
  const plenty = new RateLimiterMemory({ points: PLENTY, duration: HOUR_SECONDS });
  const exhausted = new RateLimiterMemory({ points: 1, duration: HOUR_SECONDS });
  return { decide: consumeFlexible(plenty, exhausted), close: async () => undefined };
}

type Flexible = { consume(key: string): Promise<RateLimiterRes> };

function consumeFlexible(plenty: Flexible, exhausted: Flexible): Decider["decide"] {
  return inSequence(async (key) => {
    try {
      await (key < 0 ? exhausted : plenty).consume(`key-${key}`);
      return true;
    } catch (error) {
      if (error instanceof RateLimiterRes) return false;
      throw error;
    }
  });
}

/** Contestants without groups decide one bucket after another, and stop at the first rejection. */
function inSequence(decideOne: (key: number) => Promise<boolean>): Decider["decide"] {
  return async (keys) => {
    for (const key of keys) {
      if (!(await decideOne(key))) return false;
    }
    return true;
  };
}

/** Returns the keys that a workload exhausts before the measurement. */
export function exhaustedKeys({ rejectedShare }: Workload): number[] {
  return rejectedShare === 0 ? [] : Array.from({ length: EXHAUSTED_KEYS }, (_, i) => -1 - i);
}
