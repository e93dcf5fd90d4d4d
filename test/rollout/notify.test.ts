import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createFakeDeployment, type FakeDeployment, type FakeOptions } from "./rollout-fixture.ts";

const NOTIFY = "notify: cat >> told";
/** Covers the confirmation deadline on a busy machine. */
const TOLD_TIMEOUT_MS = 30_000;

test("notify is told what the timer took back, with the outcome on its standard input", async () => {
  const deployment = await setup({ deadManSeconds: 2, settings: NOTIFY });
  await deployment.run("stage", "next", "--as", "Ada");
  const [told] = await eventually(() => readTold(deployment, 1), TOLD_TIMEOUT_MS);
  expect(told).toMatchObject({
    ...{ event: "rollback", by: "timer", to: "baseline", takenBack: ["proxy"], failed: null },
    ...{ who: "Ada", reason: "nobody confirmed stage proxy in time" },
  });
});

test("notify is told of a way back that failed, of one by hand, and never keeps anything back", async () => {
  const deployment = await setup({
    commands: { "verify-proxy": "exit 1", "rollback-proxy": "[ -e mended ]" },
    settings: `${NOTIFY}; touch mended; exit 1`,
  });
  const stuck = await deployment.run("stage", "next");
  expect(stuck).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("NOBODY WAS NOTIFIED"),
  });
  await deployment.run("rollback");
  expect(await readTold(deployment, 2)).toMatchObject([
    { by: "verification", verdict: "fail", failed: "proxy" },
    { by: "operator", failed: null, takenBack: ["proxy"] },
  ]);
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
});

async function readTold(deployment: FakeDeployment, count: number): Promise<unknown[]> {
  const text = await readFile(join(deployment.directory, "told"), "utf8");
  const lines = text.trim().split("\n");
  expect(lines).toHaveLength(count);
  return lines.map((line) => JSON.parse(line));
}

async function setup(options: FakeOptions): Promise<FakeDeployment> {
  const deployment = await createFakeDeployment(options);
  onTestFinished(deployment.remove);
  return deployment;
}
