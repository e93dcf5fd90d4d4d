import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
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
    wider: { prefixBits: 48, limit: 20 },
  });
  expect(policies.get("realtime.subscribe.public.datasource")?.mode).toBe("shadow");
  expect(policies.size).toBe(17);
  const ofAddresses = [...policies.values()].filter(({ key }) => key !== "text");
  expect(ofAddresses.filter(({ wider }) => wider?.prefixBits !== 48)).toEqual([]);
});

test("readPoliciesFile() gives a file of an earlier release the policies that came since", async () => {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-policies-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "policies.yaml");
  const own = "{ key: address, algorithm: token_bucket, limit: 7, period: 1m }";
  writeFileSync(file, `policies:\n  login.ip: ${own}\n  refresh.ip: ${own}\n`);
  const [policies, builtIn] = await Promise.all([readPoliciesFile(file), readPoliciesFile()]);
  expect(policies.get("refresh.ip")).toMatchObject({ limit: 7 });
  expect(policies.get("realtime.refresh.ip")).toEqual(builtIn.get("realtime.refresh.ip"));
  expect(policies.has("login.account")).toBe(false);
});

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
