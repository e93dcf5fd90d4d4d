import { afterEach, describe, expect, test } from "vitest";
import type { Consumed } from "../../services/limiter/decisions/consume-operation.ts";
import type { BucketState } from "../../services/limiter/rules/bucket-state.ts";
import { decide } from "../../services/limiter/rules/decide.ts";
import { parsePolicies } from "../../services/limiter/rules/parse-policies.ts";
import { plainDigest } from "../../services/limiter/store/key-digest.ts";
import type { Store } from "../../services/limiter/store/store.ts";
import { createLimiters, decisionOf, type Wish } from "./limiter-under-test.ts";

const START_MS = 1_700_000_000_000;

const POLICIES = {
  bucket: { key: "text", algorithm: "token_bucket", limit: 10, period: "10s" },
  slow: { key: "text", algorithm: "token_bucket", limit: 5, period: "1d" },
  lockout: { key: "text", algorithm: "token_bucket", limit: 3, period: "3s", block_for: "1m" },
  sliding: { key: "text", algorithm: "sliding_window", limit: 5, period: "10s" },
  window: { key: "text", algorithm: "fixed_window", limit: 5, period: "10s" },
  month: { key: "text", algorithm: "fixed_window", limit: 5, period: "month" },
  places: { key: "text", algorithm: "concurrency", limit: 2 },
  network: {
    key: "address",
    algorithm: "token_bucket",
    limit: 2,
    period: "1d",
    wider: { prefix: 48, limit: 3 },
  },
  shadow: { key: "text", algorithm: "token_bucket", limit: 1, period: "1d", mode: "shadow" },
  off: { key: "text", algorithm: "token_bucket", limit: 1, period: "1d", mode: "off" },
};

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

describe.each(["memory", "postgres"] as const)("on the %s store", (kind) => {
  test.each(["bucket", "lockout", "sliding", "window", "month"])(
    "%s decides as its rule does, over replicas and steps of the clock",
    async (name) => {
      const { backend, replicas } = await setup({ replicas: 2 });
      const policy = parsePolicies({ policies: POLICIES }).get(name);
      expect(policy).toBeDefined();
      let state: BucketState | undefined;
      const steps = [0, 0, 1_000, 0, 5, 1_995, -500, 0, 400, 30_000, 1, -100_000, 3_000, 40_000];
      let nowMs = START_MS;
      for (const [index, stepMs] of steps.entries()) {
        nowMs += stepMs;
        await backend.setClock(nowMs);
        const cost = 1 + (index % 3);
        const ruling = policy && decide(policy, state, nowMs, cost);
        state = ruling?.state;
        const replica = replicas[index % 2];
        const decision = await replica?.consume([{ policy: name, key: "k", cost }]);
        expect(decision, `step ${index}`).toMatchObject({
          allowed: ruling?.allowed,
          buckets: [
            {
              remaining: ruling?.remaining,
              retryAfterMs: ruling?.retryAfterMs,
              resetAfterMs: ruling?.resetAfterMs,
            },
          ],
        });
      }
    },
  );

  test("consume() charges no bucket of a group when one rejects", async () => {
    const { first } = await setup();
    const group: Wish[] = [
      { policy: "bucket", key: "a", cost: 3 },
      { policy: "slow", key: "b", cost: 4 },
    ];
    expect(await first.consume(group)).toMatchObject({ allowed: true });
    const rejected = decisionOf(await first.consume(group));
    expect(rejected).toMatchObject({
      allowed: false,
      buckets: [
        { policy: "bucket", remaining: 7, retryAfterMs: 0 },
        { policy: "slow", remaining: 1, retryAfterMs: 51_840_000 },
      ],
    });
    expect(rejected.retryAfterMs).toBe(51_840_000);
    expect(rejected.charged).toBeUndefined();
  });

  test("consume() admits exactly the capacity to many at once, over replicas", async () => {
    const { replicas, first } = await setup({ replicas: 3 });
    const group: Wish[] = [
      { policy: "slow", key: "hot" },
      { policy: "bucket", key: "hot" },
    ];
    const decisions = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => await replicas[i % 3]?.consume(group)),
    );
    const allowed = decisions.filter((d) => d !== undefined && decisionOf(d).allowed);
    expect(allowed).toHaveLength(5);
    expect(await first.peek(group)).toMatchObject({
      buckets: [{ remaining: 0 }, { remaining: 5 }],
    });
  });

  test("consume() decides for everybody at once on one row, over replicas", async () => {
    const { replicas } = await setup({ replicas: 3 });
    const decisions = await Promise.all(
      Array.from(
        { length: 300 },
        async (_, i) => await replicas[i % 3]?.consume([{ policy: "slow", key: "hot" }]),
      ),
    );
    expect(decisions.filter((d) => d !== undefined && decisionOf(d).allowed)).toHaveLength(5);
    expect(replicas.flatMap(({ failures }) => failures)).toEqual([]);
  });

  test("consume() charges a retry with the same key once, and answers it the same", async () => {
    const { backend, replicas, first } = await setup({ replicas: 2 });
    const wishes: Wish[] = [{ policy: "slow", key: "a", cost: 5 }];
    const answer = await first.consume(wishes, "key");
    await backend.setClock(START_MS + 9 * 60_000);
    const again = await replicas[1]?.consume(wishes, "key");
    expect(again && told(again)).toEqual(told(answer));
    expect(await first.consume([{ policy: "slow", key: "other" }], "key")).toBe("key-reused");
    expect(await first.consume(wishes, "another key")).toMatchObject({ allowed: false });
  });

  test("consume() charges requests with the same key that come at once a single time", async () => {
    const { replicas, first } = await setup({ replicas: 3 });
    const wishes: Wish[] = [{ policy: "slow", key: "a", cost: 2 }];
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => await replicas[i % 3]?.consume(wishes, "key")),
    );
    expect(new Set(answers.map((answer) => answer && JSON.stringify(told(answer)))).size).toBe(1);
    expect(await first.peek(wishes)).toMatchObject({ buckets: [{ remaining: 3 }] });
  });

  test("consume() keeps no rejection for a retry", async () => {
    const { backend, first } = await setup();
    const wishes: Wish[] = [{ policy: "bucket", key: "a", cost: 10 }];
    await first.consume(wishes);
    expect(await first.consume(wishes, "key")).toMatchObject({ allowed: false });
    await backend.setClock(START_MS + 10_000);
    expect(await first.consume(wishes, "key")).toMatchObject({ allowed: true });
  });

  test("refund() gives back once, over replicas and at once", async () => {
    const { replicas, first } = await setup({ replicas: 3 });
    const wishes: Wish[] = [{ policy: "slow", key: "a", cost: 2 }];
    await first.consume(wishes);
    const charged = decisionOf(await first.consume(wishes));
    const refunds = await Promise.all(
      Array.from({ length: 9 }, async (_, i) => await replicas[i % 3]?.refund(charged)),
    );
    expect(refunds.filter(Boolean)).toHaveLength(1);
    expect(await first.peek(wishes)).toMatchObject({ buckets: [{ remaining: 3 }] });
  });

  test("refund() gives back late only what has not refilled", async () => {
    const { backend, first } = await setup();
    const wishes: Wish[] = [{ policy: "bucket", key: "a", cost: 4 }];
    const charged = decisionOf(await first.consume(wishes));
    await backend.setClock(START_MS + 3_000);
    await first.consume([{ policy: "bucket", key: "a", cost: 5 }]);
    expect(await first.refund(charged)).toBe(true);
    expect(await first.peek(wishes)).toMatchObject({ buckets: [{ remaining: 5 }] });
  });

  test("refund() gives nothing back when all of it has refilled", async () => {
    const { backend, first } = await setup();
    const wishes: Wish[] = [{ policy: "bucket", key: "a", cost: 4 }];
    const charged = decisionOf(await first.consume(wishes));
    await backend.setClock(START_MS + 4_000);
    await first.consume(wishes);
    expect(await first.refund(charged)).toBe(false);
    expect(await first.peek(wishes)).toMatchObject({ buckets: [{ remaining: 6 }] });
  });

  test("refund() releases the lease that was taken with other buckets", async () => {
    const { first } = await setup();
    const lease = { id: "l", ttlMs: 10_000 };
    const wishes: Wish[] = [
      { policy: "slow", key: "a" },
      { policy: "places", key: "a", lease },
    ];
    const charged = decisionOf(await first.consume(wishes));
    expect(charged).toMatchObject({ buckets: [{ remaining: 4 }, { remaining: 1 }] });
    expect(await first.refund(charged)).toBe(true);
    expect(await first.peek(wishes)).toMatchObject({
      buckets: [{ remaining: 5 }, { remaining: 2 }],
    });
  });

  test("reset() empties a bucket and loses its leases", async () => {
    const { first, replicas } = await setup({ replicas: 2 });
    const place: Wish = { policy: "places", key: "a", lease: { id: "l", ttlMs: 10_000 } };
    await first.consume([place]);
    await first.consume([{ policy: "lockout", key: "a", cost: 3 }]);
    await replicas[1]?.reset({ policy: "lockout", key: "a" });
    await replicas[1]?.reset(place);
    expect(await first.consume([{ policy: "lockout", key: "a" }])).toMatchObject({ allowed: true });
    expect(await first.renew(["l"], 1_000)).toEqual(["l"]);
    expect(await first.peek([place])).toMatchObject({ buckets: [{ remaining: 2 }] });
  });

  test("leases hold over replicas, can be renewed, and end by themselves or at once", async () => {
    const { backend, first, replicas } = await setup({ replicas: 2 });
    const place = (id: string): Wish[] => [
      { policy: "places", key: "a", lease: { id, ttlMs: 1_000 } },
    ];
    expect(await first.consume(place("one"))).toMatchObject({ allowed: true });
    expect(await first.consume(place("two"))).toMatchObject({ allowed: true });
    expect(await first.consume(place("two"))).toMatchObject({ allowed: true });
    expect(await replicas[1]?.consume(place("three"))).toMatchObject({
      allowed: false,
      retryAfterMs: 1_000,
    });
    await backend.setClock(START_MS + 900);
    expect(await replicas[1]?.renew(["one", "nobody's"], 2_000)).toEqual(["nobody's"]);
    await backend.setClock(START_MS + 1_000);
    expect(await first.renew(["one", "two"], 2_000)).toEqual(["two"]);
    expect(await replicas[1]?.consume(place("three"))).toMatchObject({ allowed: true });
    await first.release(["one"]);
    expect(await first.consume(place("four"))).toMatchObject({ allowed: true });
    expect(await first.consume(place("five"))).toMatchObject({ allowed: false });
  });

  test("leases are never more than the places, whoever asks at once", async () => {
    const { replicas } = await setup({ replicas: 3 });
    const decisions = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const lease = { id: `l${i}`, ttlMs: 10_000 };
        return await replicas[i % 3]?.consume([{ policy: "places", key: "a", lease }]);
      }),
    );
    expect(decisions.filter((d) => d !== undefined && decisionOf(d).allowed)).toHaveLength(2);
  });

  test("consume() charges the wider network of an address in the same decision", async () => {
    const { first } = await setup();
    const at = (key: string): Wish[] => [{ policy: "network", key }];
    expect(await first.consume(at("2001:db8:1:1::1"))).toMatchObject({ allowed: true });
    expect(await first.consume(at("2001:db8:1:2::1"))).toMatchObject({ allowed: true });
    expect(await first.consume(at("2001:db8:1:3::1"))).toMatchObject({
      allowed: true,
      buckets: [{ limit: 2, remaining: 0 }],
    });
    expect(await first.consume(at("2001:db8:1:4::1"))).toMatchObject({ allowed: false });
    expect(await first.consume(at("2001:db8:2:4::1"))).toMatchObject({ allowed: true });
  });

  test("consume() keeps doubtful addresses apart", async () => {
    const { first } = await setup();
    const honest: Wish = { policy: "network", key: "203.0.113.9", cost: 2 };
    await first.consume([honest]);
    expect(await first.consume([{ ...honest, doubtful: true }])).toMatchObject({ allowed: true });
    expect(await first.consume([honest])).toMatchObject({ allowed: false });
  });

  test("consume() lets a shadow count without changing an answer", async () => {
    const { first } = await setup();
    const group: Wish[] = [
      { policy: "shadow", key: "a" },
      { policy: "slow", key: "a" },
      { policy: "off", key: "a" },
    ];
    expect(chargedBy(await first.consume(group))).toEqual(["slow", "shadow"]);
    const second = await first.consume(group);
    expect(second).toMatchObject({
      allowed: true,
      retryAfterMs: 0,
      buckets: [{ remaining: 0 }, { remaining: 3 }, { remaining: 1 }],
    });
    expect(chargedBy(second)).toEqual(["slow"]);
    expect((await first.peek([{ policy: "shadow", key: "a" }])).buckets[0]?.remaining).toBe(0);
  });

  test("charge() changes rows that are as known when the time has just come, and no others", async () => {
    const { backend, first } = await setup();
    const { store } = first;
    await first.consume([{ policy: "bucket", key: "a" }]);
    const id = plainDigest("a row of its own");
    const nowMs = START_MS;
    const full = {
      kind: "token_bucket",
      used: 0,
      atMs: nowMs,
      unit: 10,
      rate: 10,
      drift: 0,
      lineage: 1_024,
      blockedUntilMs: 0,
      blockMs: 0,
    } as const;
    const used = { ...full, used: 30 };
    const change = (before: BucketState | undefined, after: BucketState) => ({
      nowMs,
      buckets: [{ id, before, after, expiresMs: nowMs + 1_000 }],
    });
    expect(await store.charge(0, change(full, used))).toBeUndefined();
    await store.create(0, [id], true);
    expect(await store.charge(0, change(full, used))).toBeUndefined();
    const wanted = { buckets: [id], leased: [], answers: [], refunds: [] };
    const written = { ...change(undefined, used), answers: [], refunds: [], audits: [] };
    await store.flush(0, wanted, () => written, true);
    const stateNow = async () => (await store.read(wanted)).states[0];

    expect(await store.charge(0, change(full, { ...used, used: 60 }))).toBeUndefined();
    const unknown = change({ ...used, lineage: 7 }, { ...used, used: 60 });
    expect(await store.charge(0, unknown)).toBeUndefined();
    await backend.setClock(nowMs + 1);
    expect(await store.charge(0, change(used, { ...used, used: 60 }))).toBeUndefined();
    await backend.setClock(nowMs - 1);
    expect(await store.charge(0, change(used, { ...used, used: 60 }))).toBeUndefined();
    expect(await stateNow()).toEqual(used);
    await backend.setClock(nowMs);
    expect(await store.charge(0, change(used, { ...used, used: 60 }))).toBe(nowMs);
    expect(await stateNow()).toEqual({ ...used, used: 60 });
  });

  test("consume() reads no row that it knows, until another replica has changed it", async () => {
    const counts = { charged: 0, read: 0 };
    const { first, replicas } = await setup({
      replicas: 2,
      wrap: (store) => counting(store, counts),
    });
    const wish: Wish = { policy: "slow", key: "k" };
    for (let index = 0; index < 3; index++) await first.consume([wish]);
    expect(counts).toEqual({ charged: 2, read: 1 });
    expect(await replicas[1]?.consume([wish])).toMatchObject({ buckets: [{ remaining: 1 }] });
    expect(counts).toEqual({ charged: 2, read: 2 });
    expect(await first.consume([wish])).toMatchObject({ buckets: [{ remaining: 0 }] });
    expect(counts).toEqual({ charged: 2, read: 3 });
    expect(await first.consume([wish])).toMatchObject({ allowed: false });
  });

  test("sweep() deletes what has expired, and buckets that are used again go on", async () => {
    const { backend, first } = await setup();
    const wishes: Wish[] = [
      { policy: "bucket", key: "a" },
      { policy: "slow", key: "a" },
      { policy: "places", key: "a", lease: { id: "l", ttlMs: 1_000 } },
    ];
    const charged = decisionOf(await first.consume(wishes, "key"));
    await first.refund(charged, ["bucket"]);
    await backend.setClock(START_MS + 8 * 3_600_000);
    const deleted = await first.store.sweep();
    expect(deleted).toBeGreaterThanOrEqual(4);
    expect(await first.consume(wishes)).toMatchObject({
      allowed: true,
      buckets: [{ remaining: 9 }, { remaining: 4 }, { remaining: 1 }],
    });
    expect(first.failures).toEqual([]);
  });

  test("consume() counts under the old salt and the new one while salts change", async () => {
    const { first } = await setup({ salts: ["new", "old"] });
    expect(await first.consume([{ policy: "slow", key: "a", cost: 5 }])).toMatchObject({
      allowed: true,
    });
    expect(await first.consume([{ policy: "slow", key: "a" }])).toMatchObject({
      allowed: false,
      buckets: [{ limit: 5, remaining: 0 }],
    });
  });

  async function setup(
    options: { replicas?: number; salts?: readonly string[]; wrap?: (store: Store) => Store } = {},
  ) {
    const limiters = await createLimiters({
      kind,
      policies: POLICIES,
      nowMs: START_MS,
      ...options,
    });
    stops.push(limiters.stop);
    return limiters;
  }
});

/** What a caller is told; two requests for the same have different objects behind it. */
function told(consumed: Consumed) {
  const { charged, isRepeated: _, ...decision } = decisionOf(consumed);
  return { ...decision, receiptId: charged?.receiptId, chargedAtMs: charged?.chargedAtMs };
}

/** The policies whose buckets a receipt would name. */
function chargedBy(consumed: Consumed): string[] | undefined {
  return decisionOf(consumed).charged?.demands.map(({ target }) => target.policy.name);
}

/** A store that counts the flushes which read their rows, and those which did not have to. */
function counting(store: Store, counts: { charged: number; read: number }): Store {
  return {
    create: async (lane, ids, isPatient) => await store.create(lane, ids, isPatient),
    async flush(lane, wanted, decide, isPatient) {
      counts.read++;
      await store.flush(lane, wanted, decide, isPatient);
    },
    async charge(lane, charges) {
      const charged = await store.charge(lane, charges);
      counts.charged += Number(charged !== undefined);
      return charged;
    },
    read: async (wanted) => await store.read(wanted),
    findLeases: async (ids) => await store.findLeases(ids),
    sweep: async () => await store.sweep(),
    close: async () => await store.close(),
  };
}
