import { expect, test } from "vitest";
import { PoliciesError, parsePolicies } from "./parse-policies.ts";
import { readPoliciesFile } from "./policies-file.ts";

test("readPoliciesFile() reads the built-in policies", async () => {
  const policies = await readPoliciesFile();
  expect(policies.get("login.account.network")).toEqual({
    name: "login.account.network",
    key: "address_and_text",
    mode: "enforce",
    algorithm: "token_bucket",
    limit: 5,
    periodMs: 300_000,
    burst: 5,
    blockForMs: 300_000,
  });
  expect(policies.get("realtime.subscribe.public.datasource")?.mode).toBe("shadow");
  expect(policies.size).toBe(12);
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
  expect(() => parsePolicies(null)).toThrow("none given");
});
