import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";

test("the last line counts what passed, failed and was skipped", () => {
  const run = setup({
    "a.test.ts": `
      test("passes", () => {});
      test("fails", () => { throw new Error("on purpose"); });
      test.skip("skipped", () => {});`,
  });
  expect(run).toEqual({ lastLine: "1 passed, 1 failed, 1 skipped", status: 1 });
});

test("a run in which all pass ends with success", () => {
  const run = setup({ "a.test.ts": `test("passes", () => {});` });
  expect(run).toEqual({ lastLine: "1 passed, 0 failed", status: 0 });
});

test("every test behind a failed beforeAll counts as failed", () => {
  const run = setup({
    "a.test.ts": `
      beforeAll(() => { throw new Error("on purpose"); });
      test("one", () => {});
      describe("more", () => { test("two", () => {}); });`,
    "b.test.ts": `test("passes", () => {});`,
  });
  expect(run).toEqual({ lastLine: "1 passed, 2 failed", status: 1 });
});

test("a failed afterAll counts as failed", () => {
  const run = setup({
    "a.test.ts": `
      afterAll(() => { throw new Error("on purpose"); });
      test("passes", () => {});`,
  });
  expect(run).toEqual({ lastLine: "1 passed, 1 failed", status: 1 });
});

test("a file that does not import, and one without tests, count as failed", () => {
  const run = setup({
    "a.test.ts": `import "./missing.ts";`,
    "b.test.ts": "export const nothing = 1;",
  });
  expect(run).toEqual({ lastLine: "0 passed, 2 failed", status: 1 });
});

test("an error outside any test counts as failed", () => {
  const run = setup({
    "a.test.ts": `test("passes", async () => {
      void Promise.reject(new Error("on purpose"));
      await new Promise((resolve) => setTimeout(resolve, 50));
    });`,
  });
  expect(run).toEqual({ lastLine: "1 passed, 1 failed", status: 1 });
});

test("a failed globalSetup, and a run without tests, count as failed", () => {
  const broken = { "setup.ts": `export function setup() { throw new Error("on purpose"); }` };
  expect(setup({ ...broken, "a.test.ts": `test("passes", () => {});` })).toMatchObject({
    lastLine: "0 passed, 1 failed",
    status: 1,
  });
  expect(setup({})).toEqual({ lastLine: "0 passed, 1 failed", status: 1 });
});

/** Runs vitest with the reporter on the given files. */
function setup(files: Readonly<Record<string, string>>) {
  // Inside the repository, so that what the files import is found.
  mkdirSync("dist", { recursive: true });
  const folder = mkdtempSync(resolve("dist/reporter-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const reporter = JSON.stringify(resolve("test/reporter/summary-reporter.ts"));
  const globalSetup = "setup.ts" in files ? ["./setup.ts"] : [];
  const all = {
    "vitest.config.ts": `import { SummaryReporter } from ${reporter};
      export default { test: {
        globals: true,
        reporters: ["default", new SummaryReporter()],
        globalSetup: ${JSON.stringify(globalSetup)},
      } };`,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text);
  const { stdout, status } = spawnSync(
    process.execPath,
    [resolve("node_modules/vitest/vitest.mjs"), "run", "--root", folder],
    { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
  );
  return { lastLine: stdout.trimEnd().split("\n").at(-1), status };
}
