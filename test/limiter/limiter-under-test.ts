import { BucketDirectory, type Target } from "../../services/limiter/decisions/bucket-directory.ts";
import type { Consumed, Idempotency } from "../../services/limiter/decisions/consume-operation.ts";
import type { Decision, Demand } from "../../services/limiter/decisions/decision.ts";
import { Limiter } from "../../services/limiter/decisions/limiter.ts";
import { Engine } from "../../services/limiter/engine/engine.ts";
import { createEvents } from "../../services/limiter/events.ts";
import { Receipts } from "../../services/limiter/rpc/receipt.ts";
import { parsePolicies } from "../../services/limiter/rules/parse-policies.ts";
import { plainDigest } from "../../services/limiter/store/key-digest.ts";
import { MemoryStore } from "../../services/limiter/store/memory-store.ts";
import { PostgresStore } from "../../services/limiter/store/postgres-store.ts";
import type { Store } from "../../services/limiter/store/store.ts";
import { createManualClock } from "../../services/runtime/clock.ts";
import { readMigrations } from "../../services/runtime/migrate.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";

/** A bucket as a test names it. */
export type Wish = {
  policy: string;
  key: string;
  cost?: number;
  doubtful?: boolean;
  lease?: { id: string; ttlMs: number };
};

/** One of several limiters on the same store. */
export type Replica = ReturnType<typeof createReplica>;

/** Where the replicas of a test keep their buckets, under a clock that only the test moves. */
export type Backend = {
  openStore(): Store;
  setClock(nowMs: number): Promise<void>;
};

/** Replicas of the limiter in this process, over one store of the given kind. */
export async function createLimiters(options: {
  kind: "memory" | "postgres";
  policies: Record<string, object>;
  replicas?: number;
  nowMs?: number;
  salts?: readonly string[];
  /** Comes between each replica and its store. */
  wrap?: (store: Store) => Store;
  rememberedMs?: number;
}) {
  const backend = await (options.kind === "memory" ? memoryBackend() : postgresBackend());
  await backend.setClock(options.nowMs ?? 1_000_000_000);
  const wrap = options.wrap ?? ((store) => store);
  const replicas = Array.from({ length: options.replicas ?? 1 }, () =>
    createReplica(wrap(backend.openStore()), options),
  );
  const [first] = replicas;
  if (first === undefined) throw new Error("no replicas");
  return {
    backend,
    replicas,
    first,
    /** Has all replicas forget what they know and go on with other policies, on their stores. */
    async restart(policies: Record<string, object>): Promise<void> {
      await Promise.all(replicas.map(async (replica) => await replica.drain()));
      const started = replicas.map(({ store }) => createReplica(store, { ...options, policies }));
      replicas.splice(0, replicas.length, ...started);
    },
    async stop() {
      await Promise.all(replicas.map(async (replica) => await replica.stop()));
    },
  };
}

function createReplica(
  store: Store,
  options: {
    policies: Record<string, object>;
    salts?: readonly string[];
    rememberedMs?: number;
  },
) {
  const policies = parsePolicies({ policies: options.policies });
  const failures: unknown[] = [];
  const engine = new Engine(store, {
    createEvents: (queueDepth) => createEvents(policies, queueDepth),
    onFailure: (error) => failures.push(error),
    // Time passes only when the test says so.
    localMs: () => 0,
  });
  const directory = new BucketDirectory({
    policies,
    salts: (options.salts ?? ["test-salt"]).map((salt) => new Secret(salt)),
    ipv6PrefixBits: 64,
  });
  const limiter = new Limiter({
    engine,
    waitMs: 5_000,
    rememberedMs: options.rememberedMs ?? 0,
    // However busy the machine is.
    shadowWaitMs: 5_000,
  });
  const receipts = new Receipts([new Secret("test-salt")]);
  const targetOf = ({ policy, key, doubtful = false }: Wish): Target => {
    const found = directory.find(policy, key, doubtful);
    if (found.kind !== "found") throw new Error(`no bucket ${policy} ${key}: ${found.kind}`);
    return found.target;
  };
  const demandsOf = (wishes: readonly Wish[]): Demand[] =>
    wishes.map((wish) => ({
      target: targetOf(wish),
      cost: wish.cost ?? 1,
      lease: wish.lease && { ...wish.lease, id: plainDigest(wish.lease.id) },
    }));
  const idempotencyOf = (wishes: readonly Wish[], key?: string): Idempotency | undefined =>
    key === undefined
      ? undefined
      : { id: plainDigest(`key ${key}`), body: plainDigest(JSON.stringify(wishes)) };

  return {
    store,
    failures,
    consume: async (wishes: readonly Wish[], key?: string): Promise<Consumed> =>
      await limiter.consume(demandsOf(wishes), idempotencyOf(wishes, key)),
    peek: async (wishes: readonly Wish[]): Promise<Decision> =>
      await limiter.peek(demandsOf(wishes)),
    /** Refunds what a decision charged, by its receipt; all of it, or what some policies took. */
    refund: async (
      { charged }: Decision,
      policyNames: readonly string[] = [],
    ): Promise<boolean> => {
      const receipt = charged && receipts.read(receipts.write(charged));
      if (receipt === undefined) throw new Error("nothing was charged");
      const entries = receipt.entries.flatMap((entry) => {
        const policy = directory.findPolicy(entry);
        const isNamed = policyNames.length === 0 || policyNames.includes(entry.policy);
        const { bucketId, charge } = entry;
        return policy !== undefined && isNamed ? [{ bucketId, policy, charge }] : [];
      });
      return await limiter.refund(receipt.id, entries);
    },
    reset: async (wish: Wish): Promise<boolean> => await limiter.reset(targetOf(wish), "operator"),
    /** Answers the leases that are lost. */
    renew: async (leases: readonly string[], ttlMs: number): Promise<string[]> => {
      const lost = await limiter.changeLeases(leases.map(plainDigest), ttlMs);
      return leases.filter((lease) => lost.has(plainDigest(lease)));
    },
    release: async (leases: readonly string[]): Promise<void> => {
      await limiter.changeLeases(leases.map(plainDigest), undefined);
    },
    drain: async () => await engine.drain(),
    async stop() {
      await engine.drain();
      await store.close();
    },
  };
}

/** A decision that must have been one. */
export function decisionOf(consumed: Consumed): Decision {
  if (consumed === "key-reused") throw new Error("the key was used for another request");
  return consumed;
}

async function memoryBackend(): Promise<Backend> {
  const clock = createManualClock(0);
  const store = new MemoryStore(clock);
  return {
    openStore: () => store,
    async setClock(nowMs) {
      clock.advance(nowMs - clock.nowMs());
    },
  };
}

/** A database with the limiter's schema, and its URL. */
export async function createLimiterDatabase(): Promise<string> {
  const url = await createTestDatabase("limiter");
  const folder = new URL("../../services/limiter/migrations/", import.meta.url);
  const migrations = await readMigrations(folder);
  const statements = migrations.map(({ sql }) => sql).join(";\n");
  await runSql(url, `create schema limiter;\n${statements}`);
  return url;
}

/**
 * The statements of the limiter ask the database for the time by name; in this database that name
 * means a clock that the test sets. Half a millisecond keeps fractions from being rounded away.
 * Transactions are isolated by default as somebody else might want it for a whole database.
 */
async function postgresBackend(): Promise<Backend> {
  const url = await createLimiterDatabase();
  const database = new URL(url).pathname.slice(1);
  await runSql(
    url,
    `create schema test_clock;
     create table test_clock.now (ms bigint not null);
     insert into test_clock.now values (0);
     create function test_clock.clock_timestamp() returns timestamptz language sql volatile
       as 'select to_timestamp((n.ms + 0.5) / 1000) from test_clock.now n';
     alter database "${database}" set search_path = test_clock, pg_catalog, public;
     alter database "${database}" set default_transaction_isolation = 'repeatable read'`,
  );
  return {
    openStore: () =>
      new PostgresStore({
        ...{ url, synchronousCommit: "off", holdTimeoutMs: 3_000 },
        // What was decided earlier would differ from the rule.
        decidedAgoMsMax: 0,
      }),
    async setClock(nowMs) {
      await runSql(url, "update test_clock.now set ms = $1", [nowMs]);
    },
  };
}
