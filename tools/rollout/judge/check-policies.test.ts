import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkPolicies, findPlannedPolicies } from "./check-policies.ts";

const BUILT_IN = new URL("../../../services/limiter/policies.yaml", import.meta.url);
const VALID = limitedTo("31");

test("checkPolicies() refuses what a service would refuse, and doubts what it cannot see", async () => {
  const { directory, write } = setup();
  const judge = async (path: string, url = "http://127.0.0.1:4002") => {
    const file = { LIMITER_POLICIES_FILE: path };
    const [check] = await checkPolicies([{ name: "limiter", file }], {
      directory,
      urls: { limiter: url },
    });
    return check;
  };
  write("good.yaml", VALID);
  write("torn.yaml", "policies: {");
  write("wrong.yaml", limitedTo("many"));
  expect(await judge("good.yaml")).toMatchObject({ id: "policies.limiter", verdict: "pass" });
  expect(await judge(join(directory, "good.yaml"))).toMatchObject({ verdict: "pass" });
  expect(await judge("torn.yaml")).toMatchObject({ verdict: "fail" });
  expect(await judge("wrong.yaml")).toMatchObject({
    verdict: "fail",
    observed: expect.stringContaining("login.ip.limit"),
  });
  expect(await judge("gone.yaml")).toMatchObject({ verdict: "fail" });
  expect(await judge("gone.yaml", "http://10.0.0.12:4002")).toMatchObject({
    verdict: "inconclusive",
  });
  expect(await checkPolicies([{ name: "auth", file: {} }], { directory, urls: {} })).toEqual([]);
});

test("findPlannedPolicies() tells limits apart, and knows the built-in ones", async () => {
  const { directory, write } = setup();
  write("one.yaml", VALID);
  write("two.yaml", limitedTo("32"));
  const hashOf = async (path?: string) =>
    await findPlannedPolicies(path === undefined ? {} : { LIMITER_POLICIES_FILE: path }, directory);
  const hashes = [await hashOf("one.yaml"), await hashOf("two.yaml"), await hashOf()];
  expect(new Set(hashes).size).toBe(3);
  expect(await hashOf("gone.yaml")).toBeUndefined();
});

/** The built-in policies with another login limit. */
function limitedTo(limit: string): string {
  return readFileSync(BUILT_IN, "utf8").replace(/(login\.ip:[\s\S]*?limit: )\d+/, `$1${limit}`);
}

function setup() {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-policies-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return {
    directory,
    write: (name: string, text: string) => writeFileSync(join(directory, name), text),
  };
}
