import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { Decision } from "../../services/limiter/decisions/decision.ts";
import { parsePolicies } from "../../services/limiter/rules/parse-policies.ts";
import { createFaultyStore, type Fault, type FaultyStore } from "./faulty-store.ts";
import { createLimiters, type Replica, type Wish } from "./limiter-under-test.ts";
import { Model, type ModelCharge, type ModelDecision } from "./model.ts";

const START_MS = 1_700_000_000_000;
const REPLICAS = 3;
/** Texts to some policies, and to others addresses of one network. */
const KEYS = ["2001:db8:1:1::1", "2001:db8:1:2::1"];

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const anyPeriod = fc.constantFrom("100ms", "1s", "7s", "1m", "1h");
const anyLimit = fc.integer({ min: 1, max: 12 });
const anyBlock = fc.constantFrom({}, { block_for: "2s" }, { block_for: "10m" });

const anyPolicy = fc.oneof(
  fc
    .tuple(anyLimit, anyPeriod, fc.integer({ min: 1, max: 20 }), anyBlock)
    .map(([limit, period, burst, block]) => ({
      ...{ key: "text", algorithm: "token_bucket", limit, period, burst },
      ...block,
    })),
  fc.tuple(anyLimit, anyPeriod, anyBlock).map(([limit, period, block]) => ({
    ...{ key: "text", algorithm: "sliding_window", limit, period },
    ...block,
  })),
  fc
    .tuple(anyLimit, fc.oneof(anyPeriod, fc.constantFrom("hour", "day", "month")), anyBlock)
    .map(([limit, period, block]) => ({
      ...{ key: "text", algorithm: "fixed_window", limit, period },
      ...block,
    })),
  anyLimit.map((limit) => ({ key: "text", algorithm: "concurrency", limit })),
  fc.tuple(anyLimit, fc.nat({ max: 4 })).map(([limit, more]) => ({
    ...{ key: "address", algorithm: "concurrency", limit },
    wider: { prefix: 48, limit: limit + more },
  })),
  fc.tuple(anyLimit, anyPeriod, fc.nat({ max: 4 })).map(([limit, period, more]) => ({
    ...{ key: "address", algorithm: "token_bucket", limit, period },
    wider: { prefix: 48, limit: limit + more },
  })),
);

const anyMode = fc.constantFrom({}, {}, {}, {}, { mode: "shadow" }, { mode: "off" });

const anyPolicies = fc.dictionary(
  fc.constantFrom("p", "q", "r"),
  fc.tuple(anyPolicy, anyMode).map(([policy, mode]): ModelPolicy => ({ ...policy, ...mode })),
  { minKeys: 2, maxKeys: 3 },
);

/** How a policy is another one after a restart. */
type Change = {
  policy: number;
  to:
    | { what: "algorithm"; algorithm: string }
    | { what: "limit"; limit: number }
    | { what: "longer" }
    | { what: "block"; block: object }
    | { what: "mode"; mode: object };
};

const anyChange: fc.Arbitrary<Change> = fc.record({
  policy: fc.nat({ max: 2 }),
  to: fc.oneof(
    fc.record({
      what: fc.constant("algorithm" as const),
      algorithm: fc.constantFrom("token_bucket", "sliding_window", "fixed_window", "concurrency"),
    }),
    fc.record({ what: fc.constant("limit" as const), limit: anyLimit }),
    fc.constant({ what: "longer" as const }),
    fc.record({ what: fc.constant("block" as const), block: anyBlock }),
    fc.record({ what: fc.constant("mode" as const), mode: anyMode }),
  ),
});

type Step =
  | { do: "consume"; wishes: number[]; costs: number[]; lease: string; key: string | undefined }
  | { do: "retry"; request: number }
  | { do: "peek"; wishes: number[]; costs: number[] }
  | { do: "refund"; decision: number }
  | { do: "reset"; wish: number }
  | { do: "renew" | "release"; lease: string; ttlMs: number }
  | { do: "clock"; stepMs: number }
  | { do: "restart"; change: Change };

const anyLease = fc.constantFrom("l1", "l2", "l3", "l4");
const anyWishes = fc.uniqueArray(fc.nat({ max: 5 }), { minLength: 1, maxLength: 3 });
const anyCosts = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 3, maxLength: 3 });
const anyTtlMs = fc.integer({ min: 100, max: 20_000 });

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("consume" as const),
      wishes: anyWishes,
      costs: anyCosts,
      lease: anyLease,
      key: fc.constantFrom(undefined, undefined, undefined, "k1", "k2", "k3"),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("retry" as const), request: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("peek" as const), wishes: anyWishes, costs: anyCosts }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("refund" as const), decision: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("reset" as const), wish: fc.nat({ max: 5 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("renew" as const, "release" as const),
      lease: anyLease,
      ttlMs: anyTtlMs,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("clock" as const),
      stepMs: fc.oneof(
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: -5_000, max: 20_000 }),
        fc.integer({ min: -4_000_000, max: 8_000_000 }),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("restart" as const), change: anyChange }),
  },
);

const anyFault = fc.constantFrom<Fault[]>(
  "none",
  "none",
  "none",
  "none",
  "not-committed",
  "committed-but-lost",
);

const anyPlan = fc.record({
  policies: anyPolicies,
  steps: fc.array(
    fc.record({ step: anyStep, replica: fc.nat({ max: REPLICAS - 1 }), fault: anyFault }),
    { minLength: 5, maxLength: 60 },
  ),
});
type Plan = typeof anyPlan extends fc.Arbitrary<infer T> ? T : never;

describe.each([
  { kind: "memory", runs: 1_000 },
  { kind: "postgres", runs: 15 },
] as const)("on the $kind store", ({ kind, runs }) => {
  test("replicas decide as one thing after another would, through steps of the clock and lost answers", async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        await follow(plan, kind);
      }),
      { numRuns: runs, endOnFailure: kind === "postgres" },
    );
  });

  test("replicas that are asked at once charge what they admit, and reject only what does not fit", async () => {
    const anyRush = fc.array(
      fc.record({
        wishes: anyWishes,
        costs: anyCosts,
        key: fc.constantFrom(undefined, undefined, "k1", "k2"),
        replica: fc.nat({ max: REPLICAS - 1 }),
      }),
      { minLength: 20, maxLength: 120 },
    );
    await fc.assert(
      fc.asyncProperty(anyRush, async (rush) => {
        const limit = { key: "text", period: "1h", limit: 25 };
        const policies = {
          p: { ...limit, algorithm: "token_bucket" },
          q: { ...limit, algorithm: "sliding_window" },
          r: { ...limit, algorithm: "fixed_window" },
        };
        const { replicas, first } = await start(kind, policies);
        const groups = rush.map(({ wishes, costs }) => wishesOf(wishes, costs, policies));
        const decisions = await Promise.all(
          rush.map(async ({ replica, key }, i) => {
            const consumed = await replicas[replica]?.consume(groups[i] ?? [], key);
            return consumed === "key-reused" ? undefined : consumed;
          }),
        );
        // Whoever is first with a key keeps it: the others are told so, or have the same answer.
        const receipts = decisions.map((decision) => decision?.charged?.receiptId);
        const isFirst = (i: number) => receipts.indexOf(receipts[i]) === i;
        for (const key of ["k1", "k2"]) {
          const own = receipts.filter((receipt, i) => receipt && rush[i]?.key === key);
          expect(new Set(own).size).toBeLessThanOrEqual(1);
        }
        const charged = new Map<string, number>();
        for (const [i, group] of groups.entries()) {
          for (const wish of decisions[i]?.allowed && isFirst(i) ? group : []) {
            const id = `${wish.policy} ${wish.key}`;
            charged.set(id, (charged.get(id) ?? 0) + (wish.cost ?? 1));
          }
        }
        const leftOf = ({ policy, key }: Wish) => 25 - (charged.get(`${policy} ${key}`) ?? 0);
        for (const [i, group] of groups.entries()) {
          const { buckets } = await first.peek(group);
          expect(buckets.map(({ remaining }) => remaining)).toEqual(group.map(leftOf));
          const fits = group.every((wish) => leftOf(wish) >= (wish.cost ?? 1));
          expect(decisions[i] === undefined || decisions[i]?.allowed || !fits).toBe(true);
        }
        await endRun();
      }),
      { numRuns: Math.ceil(runs / 6), endOnFailure: kind === "postgres" },
    );
  });
});

/** The policies after a change. */
function changed(
  policies: Readonly<Record<string, ModelPolicy>>,
  { policy: number, to }: Change,
): Record<string, ModelPolicy> {
  const names = Object.keys(policies);
  const name = names[number % names.length] ?? "";
  const old = policies[name];
  if (old === undefined) throw new Error("no policy to change");
  return { ...policies, [name]: changedPolicy(old, to) };
}

function changedPolicy(old: ModelPolicy, to: Change["to"]): ModelPolicy {
  const { algorithm, key, limit, wider, mode } = old;
  const bare = { key, limit, ...(mode && { mode }), ...(wider && { wider }) };
  switch (to.what) {
    case "algorithm":
      return to.algorithm === "concurrency"
        ? { ...bare, algorithm: to.algorithm }
        : { ...bare, algorithm: to.algorithm, period: "7s" };
    case "limit":
      return {
        ...{ ...old, limit: to.limit },
        ...(wider && { wider: { ...wider, limit: to.limit + 2 } }),
      };
    case "longer":
      // A whole multiple, so that nothing is rounded on the way.
      return typeof old.period === "string" && LONGER.has(old.period)
        ? { ...old, period: LONGER.get(old.period) ?? old.period }
        : old;
    case "block": {
      const { block_for, ...rest } = old;
      return algorithm === "concurrency" ? old : { ...rest, ...to.block };
    }
    case "mode": {
      const { mode: _, ...rest } = old;
      return { ...rest, ...to.mode };
    }
  }
}

const LONGER = new Map([
  ["100ms", "1s"],
  ["1s", "7s"],
  ["7s", "7m"],
  ["1m", "1h"],
]);

/** Follows a plan on the limiter and on the model, and expects them to answer the same. */
async function follow(plan: Plan, kind: "memory" | "postgres"): Promise<void> {
  const { backend, replicas, stores, restart } = await start(kind, plan.policies);
  const model = new Model(parsePolicies({ policies: plan.policies }), START_MS);
  const charged: Array<{ decision: Decision; charge: ModelCharge }> = [];
  let asked: Array<{ wishes: readonly Wish[]; key: string | undefined }> = [];
  let { policies } = plan;
  const isEnforced = ({ policy }: Wish) => policies[policy]?.mode === undefined;
  for (const [index, { step, replica: number, fault: anyOf }] of plan.steps.entries()) {
    const replica = replicas[number];
    const store = stores[number];
    if (replica === undefined || store === undefined) throw new Error("no such replica");
    // Shadows are told apart by the request, and swallow what goes wrong with them.
    const isWhole =
      (step.do !== "retry" && step.do !== "consume") ||
      (step.do === "consume" && wishesOf(step.wishes, step.costs, policies).every(isEnforced));
    const fault = isWhole ? anyOf : "none";
    const at = `step ${index}: ${JSON.stringify(step)} with ${fault}`;
    switch (step.do) {
      case "clock":
        model.nowMs = Math.max(1, model.nowMs + step.stepMs);
        await backend.setClock(model.nowMs);
        break;
      case "peek": {
        const wishes = wishesOf(step.wishes, step.costs, policies);
        expect(viewsOf(await replica.peek(wishes)), at).toEqual(modelViews(model.peek(wishes)));
        break;
      }
      case "retry":
      case "consume": {
        const request =
          step.do === "retry"
            ? asked[step.request % Math.max(1, asked.length)]
            : { wishes: wishesOf(step.wishes, step.costs, policies, step.lease), key: step.key };
        if (request === undefined) break;
        const { wishes, key } = request;
        if (step.do === "consume" && key !== undefined) asked.push(request);
        const expected = fault === "not-committed" ? undefined : model.consume(wishes, key);
        const got = await tryWith(store, fault, async () => await replica.consume(wishes, key));
        if (got === undefined) break;
        if (got === "key-reused" || expected === "key-reused" || expected === undefined) {
          expect(got, at).toBe(expected);
          break;
        }
        expect({ allowed: got.allowed, views: viewsOf(got) }, at).toEqual({
          allowed: expected.allowed,
          views: modelViews(expected),
        });
        const { charge } = expected;
        expect(got.charged !== undefined, at).toBe(charge !== undefined);
        if (charge !== undefined) charged.push({ decision: got, charge });
        break;
      }
      case "refund": {
        const taken = charged[step.decision % Math.max(1, charged.length)];
        if (taken === undefined) break;
        const expected = fault === "not-committed" ? undefined : model.refund(taken.charge);
        const got = await tryWith(store, fault, async () => replica.refund(taken.decision));
        // Without a row to ask for, nothing can be lost.
        if (got !== undefined && expected !== undefined) expect(got, at).toBe(expected);
        break;
      }
      case "reset": {
        const [wish] = wishesOf([step.wish], [1], policies);
        if (wish === undefined) break;
        const expected = fault === "not-committed" ? undefined : model.reset(wish);
        const got = await tryWith(store, fault, async () => await replica.reset(wish));
        if (got !== undefined) expect(got, at).toBe(expected);
        break;
      }
      case "renew":
      case "release": {
        const ttlMs = step.do === "renew" ? step.ttlMs : undefined;
        const isLost = model.changeLease(step.lease, ttlMs);
        const lost = await changeLease(replica, step.lease, ttlMs);
        if (ttlMs !== undefined) expect(lost, at).toEqual(isLost ? [step.lease] : []);
        break;
      }
      case "restart":
        policies = changed(policies, step.change);
        model.changePolicies(parsePolicies({ policies }));
        // A request may be another one under other policies.
        asked = [];
        await restart(policies);
        break;
    }
  }
  await endRun();
}

async function changeLease(
  replica: Replica,
  lease: string,
  ttlMs: number | undefined,
): Promise<readonly string[]> {
  if (ttlMs !== undefined) return await replica.renew([lease], ttlMs);
  await replica.release([lease]);
  return [];
}

/** Undefined when the answer was lost on the way, as the fault demands. */
async function tryWith<T>(
  store: FaultyStore,
  fault: Fault,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  store.fault = fault;
  const result = await Promise.allSettled([ask()]);
  store.fault = "none";
  if (fault === "none" && result[0].status === "rejected") throw result[0].reason;
  return result[0].status === "fulfilled" ? result[0].value : undefined;
}

type ModelPolicy = {
  algorithm: string;
  key: string;
  limit: number;
  period?: string;
  burst?: number;
  block_for?: string;
  mode?: string;
  wider?: { prefix: number; limit: number };
};

/** Buckets by number: each policy with each key; a cost never exceeds what there is. */
function wishesOf(
  numbers: readonly number[],
  costs: readonly number[],
  policies: Readonly<Record<string, ModelPolicy>>,
  lease = "peeked",
): Wish[] {
  const names = Object.keys(policies);
  const wishes = numbers.map((number, index): Wish => {
    const name = names[number % names.length] ?? "";
    const { algorithm = "", limit = 1, burst = limit } = policies[name] ?? {};
    const key = KEYS[Math.floor(number / names.length) % KEYS.length] ?? "";
    return algorithm === "concurrency"
      ? { policy: name, key, lease: { id: lease, ttlMs: 5_000 } }
      : { policy: name, key, cost: Math.min(costs[index] ?? 1, burst) };
  });
  // Two addresses of one network would take from the same row, which is refused.
  return wishes.filter((wish, i) => {
    const isShared = policies[wish.policy]?.wider !== undefined;
    const isSame = (w: Wish) => w.policy === wish.policy && (isShared || w.key === wish.key);
    return wishes.findIndex(isSame) === i;
  });
}

function viewsOf(decision: Decision) {
  return decision.buckets.map(({ remaining, retryAfterMs, resetAfterMs }) => ({
    remaining,
    retryAfterMs,
    resetAfterMs,
  }));
}

function modelViews({ views }: ModelDecision) {
  return views.map(({ remaining, retryAfterMs, resetAfterMs }) => ({
    remaining,
    retryAfterMs,
    resetAfterMs,
  }));
}

async function start(kind: "memory" | "postgres", policies: Record<string, object>) {
  const stores: FaultyStore[] = [];
  const limiters = await createLimiters({
    kind,
    policies,
    replicas: REPLICAS,
    nowMs: START_MS,
    wrap: (store) => {
      const faulty = createFaultyStore(store);
      stores.push(faulty);
      return faulty;
    },
  });
  stops.push(limiters.stop);
  return { ...limiters, stores };
}

/** Properties run many times within one test; each run ends what it started. */
async function endRun(): Promise<void> {
  for (const stop of stops.splice(0)) await stop();
}
