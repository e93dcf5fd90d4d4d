import { expect, test } from "vitest";
import { PoliciesError, parsePolicies } from "./parse-policies.ts";

test.each([
  [{ prefix: 48, limit: 9 }, "p.wider.limit: must be at least limit, which is 10"],
  [{ prefix: 48, limit: 10, colour: 1 }, "p.wider.colour: unknown field"],
  [{ limit: 10 }, "p.wider.prefix:"],
  [{ prefix: 48 }, "p.wider.limit:"],
  [48, "p.wider: must have a prefix and a limit"],
])("parsePolicies() refuses a wider network that cannot work: %j", (wider, problem) => {
  for (const rule of [
    { algorithm: "token_bucket", period: "1s" },
    { algorithm: "sliding_window", period: "1s" },
    { algorithm: "fixed_window", period: "1s" },
    { algorithm: "concurrency" },
  ]) {
    const policy = { key: "address", limit: 10, ...rule, wider };
    expect(() => parsePolicies({ policies: { p: policy } })).toThrow(problem);
  }
});

test("parsePolicies() refuses a wider network that cannot give what one key may take at once", () => {
  const bucket = { key: "address", algorithm: "token_bucket", limit: 1, period: "1s", burst: 20 };
  const policies = { p: { ...bucket, wider: { prefix: 48, limit: 10 } } };
  expect(() => parsePolicies({ policies })).toThrow("must be at least burst, which is 20");
});

test("parsePolicies() refuses a wider network that gives back more slowly than one key", () => {
  const bucket = { key: "address", algorithm: "token_bucket", limit: 10, period: "1s", burst: 3 };
  const policies = { p: { ...bucket, wider: { prefix: 48, limit: 5 } } };
  expect(() => parsePolicies({ policies })).toThrow("must be at least limit, which is 10");
});

test("parsePolicies() refuses a wider network that is no wider than one client", () => {
  const policies = {
    p: { key: "address", algorithm: "concurrency", limit: 1, wider: { prefix: 64, limit: 9 } },
  };
  expect(() => parsePolicies({ policies }, { ipv6PrefixBits: 64 })).toThrow("p.wider.prefix:");
  expect(parsePolicies({ policies }, { ipv6PrefixBits: 65 }).size).toBe(1);
});

const WINDOW = { key: "text", limit: 1, period: "1s" };
test.each([
  [{ ...WINDOW, algorithm: "fixed_window", burst: "lots" }, "p.burst: is not for fixed_window"],
  [{ ...WINDOW, algorithm: "sliding_window", burst: 5 }, "p.burst: is not for sliding_window"],
  [{ key: "text", algorithm: "concurrency", limit: 1, period: "banana" }, "p.period: is not for"],
  [{ key: "text", algorithm: "concurrency", limit: 1, burst: 1 }, "p.burst: is not for"],
  [{ ...WINDOW, algorithm: "token_bucket", burst: null }, "p.burst: must be a whole number"],
  [{ ...WINDOW, algorithm: "token_bucket", block_for: null }, "p.block_for: must be a duration"],
  [{ ...WINDOW, algorithm: "token_bucket", mode: null }, "p.mode: must be one of"],
  [{ ...WINDOW, algorithm: "token_bucket", Burst: 1 }, "p.Burst: unknown field"],
  [{ ...WINDOW, algorithm: "leaky" }, "p.algorithm: must be one of"],
  ["off", "p: must have fields"],
  [null, "p: must have fields"],
  [[], "p: must have fields"],
])("parsePolicies() refuses what would do nothing: %j", (policy, problem) => {
  expect(() => parsePolicies({ policies: { p: policy } })).toThrow(problem);
});

test("parsePolicies() names everything that is wrong", () => {
  const parse = () =>
    parsePolicies({
      policies: {
        "Not a name": { key: "text", algorithm: "token_bucket", limit: 1, period: "1s" },
        a: { key: "colour", algorithm: "token_bucket", limit: 0, period: "soon", colour: 1 },
        b: { key: "text", algorithm: "concurrency", limit: 1e9, block_for: "1s" },
        c: { key: "text", algorithm: "token_bucket", limit: 1e9, period: "366d" },
        d: { key: "text", algorithm: "fixed_window", limit: 1, period: "week" },
        e: { key: "text", algorithm: "sliding_window", limit: 1, period: "9ms" },
      },
    });
  expect(parse).toThrow(PoliciesError);
  const places = ["Not a name:", "a.colour:", "a.key:", "a.limit:", "a.period:"];
  places.push("b.block_for:", "b.limit:", "c.burst:", "d.period:", "e.period:");
  for (const place of places) expect(parse).toThrow(place);
});

test("parsePolicies() refuses a file without policies", () => {
  for (const document of [null, "policies", [], {}, { policies: [] }, { policies: {} }]) {
    expect(() => parsePolicies(document)).toThrow("none given");
  }
  const misspelt = { policies: { p: { ...WINDOW, algorithm: "fixed_window" } }, polices: {} };
  expect(() => parsePolicies(misspelt)).toThrow("polices: unknown field");
});
