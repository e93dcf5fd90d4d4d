import { expect, test } from "vitest";
import { UNBLOCKED } from "./block.ts";
import type { ConcurrencyState } from "./bucket-state.ts";
import { renewLeases } from "./concurrency.ts";
import { decide, look, refund } from "./decide.ts";
import { markOf } from "./mark.ts";
import type { ConcurrencyPolicy } from "./policy.ts";

const policy: ConcurrencyPolicy = {
  name: "test",
  key: "text",
  mode: "enforce",
  blockForMs: 0,
  algorithm: "concurrency",
  limit: 2,
};

function hold(leases: Array<[id: string, expiresAtMs: number]>): ConcurrencyState {
  return {
    kind: "concurrency",
    leases: leases.map(([id, expiresAtMs]) => ({ id, expiresAtMs, ttlMs: 1_000, number: 1 })),
    taken: 1,
    lineage: 1_024,
    ...UNBLOCKED,
  };
}

test.each([
  { what: "a place that is free", held: hold([["a", 500]]), id: "b", allowed: true, remaining: 0 },
  {
    what: "a lease it holds",
    held: hold([
      ["a", 5],
      ["b", 5],
    ]),
    id: "b",
    allowed: true,
    remaining: 0,
  },
  {
    what: "an expired place",
    held: hold([
      ["a", 0],
      ["b", 5],
    ]),
    id: "c",
    allowed: true,
    remaining: 0,
  },
  {
    what: "no place",
    held: hold([
      ["a", 7],
      ["b", 5],
    ]),
    id: "c",
    allowed: false,
    remaining: 0,
  },
])("decide() gives $what as allowed: $allowed", ({ held, id, allowed, remaining }) => {
  expect(decide(policy, held, 0, 1, { id, ttlMs: 1_000 })).toMatchObject({ allowed, remaining });
});

test("look() names the wait until the first lease ends", () => {
  const held = hold([
    ["a", 700],
    ["b", 500],
  ]);
  expect(look(policy, held, 0, 1, "c")).toEqual({
    allowed: false,
    remaining: 0,
    retryAfterMs: 500,
    resetAfterMs: 700,
  });
});

test("renewLeases() puts off the end of a lease that is held, and of no other", () => {
  const held = hold([["a", 500]]);
  expect(renewLeases(held, 400, new Set(["a"]), 1_000)?.leases).toEqual([
    { id: "a", expiresAtMs: 1_400, ttlMs: 1_000, number: 1 },
  ]);
  expect(renewLeases(held, 500, new Set(["a"]), 1_000)).toBeUndefined();
  expect(renewLeases(held, 400, new Set(["b"]), 1_000)).toBeUndefined();
});

test("decide() lets no lease outlast its TTL after the clock steps back", () => {
  const held = hold([
    ["a", 1_000_500],
    ["b", 1_000_900],
  ]);
  const rejected = decide(policy, held, 100, 1, { id: "c", ttlMs: 1_000 });
  expect(rejected).toMatchObject({ allowed: false, retryAfterMs: 1_000 });
  expect(decide(policy, rejected.state, 1_100, 1, { id: "c", ttlMs: 1_000 }).allowed).toBe(true);
});

test("refund() releases the lease that the charge has taken, not one that was taken anew", () => {
  const held = hold([
    ["a", 700],
    ["b", 500],
  ]);
  const charge = { cost: 1, mark: markOf(held, "a"), leaseId: "a" };
  expect(refund(policy, held, 0, charge)).toEqual(hold([["b", 500]]));
  const again = decide(policy, held, 700, 1, { id: "a", ttlMs: 1_000 }).state;
  expect(refund(policy, again, 700, charge)).toBeUndefined();
  const charged = { ...charge, mark: markOf(again, "a") };
  expect(refund(policy, again, 1_699, charged)).toMatchObject({ leases: [] });
});
