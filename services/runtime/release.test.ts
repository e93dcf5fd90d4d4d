import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createEnvReader } from "./env.ts";
import { findRelease, readRevision } from "./release.ts";

test("findRelease() has the version of package.json, and the revision that it was told", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text);
  expect(findRelease("abc123")).toEqual({ version, revision: "abc123" });
  expect(findRelease(undefined)).toEqual({ version, revision: "unknown" });
});

test("readRevision() refuses what cannot be a label, and names the variable", () => {
  const read = (text: string) => {
    const env = createEnvReader({ RELEASE_REVISION: text });
    const revision = readRevision(env);
    env.finish({});
    return revision;
  };
  expect(read("v1.2.3+build-7")).toBe("v1.2.3+build-7");
  expect(read(" ")).toBeUndefined();
  for (const wrong of ["two words", "x".repeat(65), 'quo"te']) {
    expect(() => read(wrong), wrong).toThrow("RELEASE_REVISION must be");
  }
});
