import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readTextFile } from "../../runtime/read-text-file.ts";
import { NEEDED_POLICIES } from "./needed-policies.ts";
import { readPoliciesFile } from "./policies-file.ts";

const BUILT_IN = readFileSync(new URL("../policies.yaml", import.meta.url), "utf8");

test("readPoliciesFile() reads the built-in policies", async () => {
  const policies = await readPoliciesFile(readTextFile);
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
  const ofAddresses = [...policies.values()].filter(({ key }) => key !== "text");
  expect(ofAddresses.filter(({ wider }) => wider?.prefixBits !== 48)).toEqual([]);
});

test("the built-in policies are those that services need, and no others", async () => {
  const needed = Object.values(NEEDED_POLICIES).flatMap((needs) => Object.keys(needs));
  expect([...(await readPoliciesFile(readTextFile)).keys()].sort()).toEqual(needed.sort());
});

test("readPoliciesFile() gives a file of an earlier release the policies that came since", async () => {
  const own = "{ key: address, algorithm: token_bucket, limit: 7, period: 1m }";
  const file = write(
    BUILT_IN.replace(/ {2}refresh\.ip:\n.*\n/, `  refresh.ip: ${own}\n`).replace(
      / {2}realtime\.refresh\.ip:\n.*\n/,
      "",
    ),
  );
  const [policies, builtIn] = await Promise.all([
    readPoliciesFile(readTextFile, file),
    readPoliciesFile(readTextFile),
  ]);
  expect(policies.get("refresh.ip")).toMatchObject({ limit: 7 });
  expect(policies.get("realtime.refresh.ip")).toEqual(builtIn.get("realtime.refresh.ip"));
});

test.each(["login.account", "mint.user", "introspect.caller", "realtime.connect.ip"])(
  "readPoliciesFile() names the file, the policy and who needs it: %s",
  async (name) => {
    const file = write(BUILT_IN.replace(`  ${name}:`, "  something.else:"));
    const service = name.startsWith("realtime") ? "gateway" : "auth";
    await expect(readPoliciesFile(readTextFile, file)).rejects.toThrow(
      `${name}: is missing, and needed (${service})`,
    );
    await expect(readPoliciesFile(readTextFile, file)).rejects.toThrow(file);
  },
);

test.each([
  ["mint.user", "{ key: address, algorithm: fixed_window, limit: 9, period: day }", ".key"],
  ["login.ip", "{ key: address_and_text, algorithm: fixed_window, limit: 9, period: day }", ".key"],
  ["login.ip", "{ key: address, algorithm: concurrency, limit: 9 }", ".algorithm"],
  [
    "realtime.connections.ip",
    "{ key: address, algorithm: fixed_window, limit: 9, period: day }",
    ".algorithm",
  ],
])("readPoliciesFile() refuses %s as %s: every request would fail", async (name, policy, field) => {
  const file = write(BUILT_IN.replace(`  ${name}:`, `  ${name}: ${policy}\n  something.else:`));
  await expect(readPoliciesFile(readTextFile, file)).rejects.toThrow(
    new RegExp(`line \\d+: ${name}${field}: `),
  );
});

test("readPoliciesFile() takes a policy for any text where a service sends addresses", async () => {
  const policy = "{ key: text, algorithm: fixed_window, limit: 9, period: day }";
  const file = write(BUILT_IN.replace("  login.ip:", `  login.ip: ${policy}\n  something.else:`));
  expect((await readPoliciesFile(readTextFile, file)).get("login.ip")).toMatchObject({
    key: "text",
  });
});

test("readPoliciesFile() names the line of everything that is wrong", async () => {
  const file = write(`policies:
  one: { key: text, algorithm: fixed_window, limit: 1, period: 1s, burst: lots }
  two:
    key: address
    algorithm: token_bucket
    limit: 10
    period: 1s
    wider:
      prefix: 48
      limit: 3
      colour: red
  three:
    key: text
    algorithm: concurrency
colour: red
`);
  const error = await readPoliciesFile(readTextFile, file).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    problems: [
      "line 2: one.burst: is not for fixed_window",
      "line 10: two.wider.limit: must be at least limit, which is 10",
      "line 11: two.wider.colour: unknown field",
      "line 12: three.limit: must be a whole number from 1 to 10000",
      "line 15: colour: unknown field",
    ],
    message: expect.stringContaining(file),
  });
});

test.each([
  ["a policy that is there twice", "policies:\n  a: {}\n  a: {}\n", "line 3: "],
  ["a field that is there twice", "policies:\n  a:\n    limit: 1\n    limit: 2\n", "line 4: "],
  ["what is no YAML", "policies:\n  a: {\n", "line 3: "],
  ["a second document", "policies: {}\n---\npolicies: {}\n", "line 2: "],
  ["an unknown tag", "policies:\n  a: !limit 3\n", "line 2: "],
])("readPoliciesFile() names the line of %s", async (_name, text, problem) => {
  const file = write(text);
  await expect(readPoliciesFile(readTextFile, file)).rejects.toThrow(problem);
  await expect(readPoliciesFile(readTextFile, file)).rejects.toThrow(file);
});

test("readPoliciesFile() names a file that it cannot read, and the variable", async () => {
  await expect(readPoliciesFile(readTextFile, "/nowhere/policies.yaml")).rejects.toThrow(
    /\/nowhere\/policies\.yaml:\n.*LIMITER_POLICIES_FILE: cannot be read: ENOENT/,
  );
});

test("readPoliciesFile() refuses networks that are no wider than a client, but its own", async () => {
  const options = { ipv6PrefixBits: 48 };
  await expect(readPoliciesFile(readTextFile, write(BUILT_IN), options)).rejects.toThrow(
    "login.ip.wider.prefix: must be below LIMITER_IPV6_PREFIX, which is 48",
  );
  expect((await readPoliciesFile(readTextFile, undefined, options)).has("login.ip")).toBe(true);
});

function write(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-policies-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "policies.yaml");
  writeFileSync(file, text);
  return file;
}
