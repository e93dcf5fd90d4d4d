import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFakeDeployment, type FakeDeployment, type FakeOptions } from "./rollout-fixture.ts";

const STAGES = ["proxy", "api", "gateway", "canary"];

test("begin starts the next rollout where the last one was done, and rollback ends there", async () => {
  const deployment = await setup();
  await reach(deployment, STAGES);
  const refused = await deployment.run("stage", "next");
  expect(refused.stderr).toContain("rollout begin");

  const begun = await deployment.run("begin", "--release", "2.0.0", "--change", "CHG-7", "--json");
  expect(begun).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(begun.stdout)).toMatchObject({
    ...{ verb: "begin", verdict: "pass", release: "2.0.0", change: "CHG-7" },
    ...{ from: "done", position: "baseline" },
    notes: expect.arrayContaining([expect.stringContaining("rollback command of proxy")]),
  });
  const status = JSON.parse((await deployment.run("stage", "status", "--json")).stdout);
  expect(status).toMatchObject({
    ...{ position: "baseline", touched: [], next: "proxy", lastChecks: {} },
    rollout: { release: "2.0.0", change: "CHG-7" },
  });
  await reach(deployment, ["proxy", "api"]);
  await deployment.run("rollback");
  expect((await deployment.log()).slice(-3)).toEqual([
    ...["rollback-auth", "rollback-limiter", "rollback-proxy"],
  ]);
  expect(await deployment.journal()).toMatchObject({ rollout: { release: "2.0.0" } });
});

test("begin gives up a rollout that is not done only when told so, and never one that is under way", async () => {
  const deployment = await setup();
  await reach(deployment, ["proxy"]);
  const refused = await deployment.run("begin", "--release", "2.0.0");
  expect(refused).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/stands at proxy.*the way back \(proxy\).*--yes/),
  });
  expect((await deployment.journal()).state.position).toBe("proxy");
  expect(await deployment.run("begin", "--yes")).toMatchObject({ exitCode: 0 });
  expect((await deployment.journal()).state).toMatchObject({ position: "baseline", touched: [] });

  await deployment.run("stage", "next");
  const busy = await deployment.run("begin", "--yes");
  expect(busy).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("waits for") });
  expect(await deployment.run("begin", "--release", " ")).toMatchObject({ exitCode: 2 });
});

test("evidence names who acted: the name that was given, or the system's user", async () => {
  const deployment = await setup();
  await deployment.run("begin", "--as", "Ada from operations");
  await deployment.run("stage", "next");
  const records = await evidenceOf(deployment);
  const whoOf = (kind: string) => records.find((record) => record.kind === kind)?.who;
  expect(whoOf("rollout-begun")).toBe("Ada from operations");
  expect(whoOf("stage-begun")).toMatch(/\S/);
  expect(whoOf("stage-begun")).not.toBe("Ada from operations");
  expect(await deployment.run("rollback", "--as", "")).toMatchObject({ exitCode: 2 });
});

async function evidenceOf(deployment: FakeDeployment): Promise<{ kind: string; who?: string }[]> {
  const text = await readFile(join(deployment.directory, "state/evidence.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

async function reach(deployment: FakeDeployment, stages: readonly string[]): Promise<void> {
  for (const stage of stages) {
    await deployment.run("stage", "next", stage);
    expect(await deployment.run("stage", "confirm"), stage).toMatchObject({ exitCode: 0 });
  }
}

async function setup(options: FakeOptions = {}): Promise<FakeDeployment> {
  const deployment = await createFakeDeployment(options);
  onTestFinished(deployment.remove);
  return deployment;
}
