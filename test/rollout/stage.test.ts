import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createFakeDeployment, type FakeDeployment, type FakeOptions } from "./rollout-fixture.ts";

test("stage next and confirm lead through every stage in order, and rollback exactly back", async () => {
  const deployment = await setup();
  for (const stage of ["proxy", "api", "gateway", "canary"]) {
    expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 0 });
    expect(await deployment.run("stage", "confirm"), stage).toMatchObject({ exitCode: 0 });
  }
  expect((await deployment.journal()).state.position).toBe("done");
  expect((await deployment.run("stage", "next")).stderr).toContain("nothing is left to stage");

  await deployment.run("rollback", "--to", "api");
  expect((await deployment.journal()).state.position).toBe("api");
  await deployment.run("rollback");
  expect((await deployment.journal()).state).toMatchObject({ position: "baseline", touched: [] });
  expect(await deployment.log()).toEqual([
    ...["apply-proxy", "verify-proxy", "apply-limiter", "apply-auth", "verify-api"],
    ...["apply-gateway", "verify-gateway", "verify-canary"],
    ...["rollback-gateway", "rollback-auth", "rollback-limiter", "rollback-proxy"],
  ]);
});

test("stage status says rollback after a canary that failed, until something else was looked at", async () => {
  const deployment = await setup({ commands: { "verify-canary": "test -e mended" } });
  for (let stage = 0; stage < 3; stage++) {
    await deployment.run("stage", "next");
    await deployment.run("stage", "confirm");
  }
  const failed = await deployment.run("stage", "next", "canary");
  expect(failed).toMatchObject({ exitCode: 1 });
  expect(failed.stdout).toContain("next: rollout rollback");
  const status = await deployment.run("stage", "status");
  expect(status.stdout).toMatch(
    /^next {6}rollback: stage canary failed at .*stage\.verify\.canary/m,
  );
  expect(JSON.parse((await deployment.run("stage", "status", "--json")).stdout)).toMatchObject({
    next: "rollback",
  });

  await deployment.run("rollback", "--to", "api");
  expect((await deployment.run("stage", "status")).stdout).toMatch(
    /^next {6}stage next \(gateway\)/m,
  );
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  expect((await deployment.run("stage", "status")).stdout).toMatch(
    /^next {6}stage next \(canary\)/m,
  );
});

test("stage status says what failed in a stage that was taken back, and to stage it again", async () => {
  const deployment = await setup({ commands: { "verify-proxy": "exit 1" } });
  await deployment.run("stage", "next");
  const { stdout } = await deployment.run("stage", "status");
  expect(stdout).toMatch(
    /^next {6}stage proxy failed at .*stage\.verify\.proxy.*stage next \(proxy\)/m,
  );
});

test("every line fits the columns that there are, in words, and --json is left alone", async () => {
  const deployment = await setup({
    environment: { COLUMNS: "60" },
    commands: { "verify-proxy": "echo one reason of many words for which nothing works; exit 1" },
  });
  const texts = [
    (await deployment.run("stage", "next")).stdout,
    (await deployment.run("stage", "status")).stdout,
    (await deployment.run("--help")).stdout,
    (await deployment.run("stage", "next", "gateway")).stderr,
  ];
  const isPath = (line: string) => /^\S*$/.test(line.trim());
  for (const text of texts) {
    expect(text.split("\n").filter((line) => line.length > 60 && !isPath(line))).toEqual([]);
  }
  expect(texts[0]?.replaceAll(/\s+/g, " ")).toContain("one reason of many words for which nothing");
  const { stdout } = await deployment.run("stage", "status", "--json");
  expect(stdout.trimEnd()).not.toContain("\n");
});

test("stage next refuses to skip, to repeat, and to begin while a stage waits", async () => {
  const deployment = await setup();
  const skipped = await deployment.run("stage", "next", "gateway");
  expect(skipped).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("stage is proxy") });
  await deployment.run("stage", "next", "proxy");
  const early = await deployment.run("stage", "next");
  expect(early).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("confirmation") });
  await deployment.run("stage", "confirm");
  expect(await deployment.run("stage", "next", "proxy")).toMatchObject({ exitCode: 1 });
  expect(await deployment.run("stage", "confirm")).toMatchObject({ exitCode: 1 });
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy"]);
});

test("stage next arms the timer before anything changes", async () => {
  const deployment = await setup({
    commands: {
      "apply-proxy": "cp state/timer.json timer-at-apply; cp state/journal.json journal-at-apply",
    },
  });
  await deployment.run("stage", "next");
  const read = async (name: string) =>
    JSON.parse(await readFile(join(deployment.directory, name), "utf8"));
  expect(await read("timer-at-apply")).toMatchObject({ status: "armed" });
  expect(await read("journal-at-apply")).toMatchObject({
    state: { touched: ["proxy"], activity: { kind: "staging", phase: "applying" } },
    running: { pid: expect.any(Number) },
  });
});

test("stage next takes a stage back at once when a command or the verification fails", async () => {
  const applying = await setup({ commands: { "apply-auth": "echo no such unit; exit 7" } });
  await reachProxy(applying);
  const failed = await applying.run("stage", "next");
  expect(failed).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("exit 7") });
  expect((await applying.log()).slice(2)).toEqual([
    "apply-limiter",
    "rollback-auth",
    "rollback-limiter",
  ]);
  expect(await applying.settled()).toMatchObject({ state: { position: "proxy" } });

  const verifying = await setup({ commands: { "verify-proxy": "echo all in one bucket; exit 1" } });
  expect(await verifying.run("stage", "next")).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("all in one bucket"),
  });
  expect(await verifying.log()).toEqual(["apply-proxy", "rollback-proxy"]);
});

test("stage next ends a command that takes too long, with all its children", async () => {
  const deployment = await setup({
    commandSeconds: 1,
    commands: { "apply-proxy": "(sleep 60; echo too late >> log) & wait" },
  });
  const slow = await deployment.run("stage", "next");
  expect(slow).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("timeout") });
  expect(await deployment.log()).toEqual(["rollback-proxy"]);
});

test("stage confirm keeps a stage in doubt only when the operator takes that on", async () => {
  const deployment = await setup({ commands: { "verify-proxy": "" } });
  expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 3 });
  expect(await deployment.run("stage", "confirm")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("inconclusive"),
  });
  for (const blank of ["", " \t"]) {
    expect(await deployment.run("stage", "confirm", "--take-on-doubt", blank)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--take-on-doubt"),
    });
  }
  expect((await deployment.journal()).state.position).toBe("baseline");
  const taken = await deployment.run("stage", "confirm", "--take-on-doubt", "no judge here");
  expect(taken).toMatchObject({ exitCode: 0 });
  expect((await deployment.journal()).state.position).toBe("proxy");
});

test("stage next --dry-run shows the plan and changes nothing", async () => {
  const deployment = await setup();
  const plan = await deployment.run("stage", "next", "--dry-run");
  expect(plan.stdout).toContain("arm the dead-man timer: 30 s");
  expect(plan.stdout).toContain("apply proxy: echo apply-proxy >> log");
  expect(await deployment.log()).toEqual([]);
  expect((await deployment.run("stage", "status")).stdout).toContain("nothing is under way");
});

test("only one program at a time may change things", async () => {
  const deployment = await setup({
    commands: { "apply-proxy": "echo begun >> log; while [ ! -e go ]; do sleep 0.05; done" },
  });
  const first = deployment.start("stage", "next");
  await eventually(async () => expect(await deployment.log()).toEqual(["begun"]), 10_000);
  expect(await deployment.run("rollback")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(`process ${first.pid} is at work here (stage next)`),
  });
  expect((await deployment.run("stage", "status")).stdout).toContain("(applying)");
});

test("rollback that failed goes on where it failed when it is run again", async () => {
  const deployment = await setup({
    commands: { "rollback-auth": "[ -e mended ] && echo rollback-auth >> log" },
  });
  await reachProxy(deployment);
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  const failed = await deployment.run("rollback", "--json");
  expect(JSON.parse(failed.stdout)).toMatchObject({ verdict: "fail", failed: "auth" });
  expect((await deployment.run("stage", "next")).stderr).toContain(
    "a rollback to baseline is under",
  );
  await writeFile(join(deployment.directory, "mended"), "");
  await deployment.run("rollback");
  expect((await deployment.log()).slice(-3)).toEqual([
    "rollback-auth",
    "rollback-limiter",
    "rollback-proxy",
  ]);
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
});

test("stage status --json says where it stands, and every wrong word is a usage error", async () => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  const status = JSON.parse((await deployment.run("stage", "status", "--json")).stdout);
  expect(status).toMatchObject({
    position: "baseline",
    activity: { kind: "awaiting", stage: "proxy", verdict: "pass" },
    timer: { isWatching: true, secondsLeft: expect.any(Number) },
    lastChecks: { proxy: { verdict: "pass" } },
  });
  for (const wrong of [
    ["stage"],
    ["stage", "next", "tea"],
    ["rollback", "--to", "done"],
    ["brew"],
  ]) {
    expect(await deployment.run(...wrong), wrong.join(" ")).toMatchObject({ exitCode: 2 });
  }
});

test("rollback --dry-run refuses what rollback refuses", async () => {
  const deployment = await setup();
  for (const dryRun of [[], ["--dry-run"]]) {
    expect(await deployment.run("rollback", ...dryRun), "at baseline").toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("already at baseline"),
    });
  }
  await reachProxy(deployment);
  for (const dryRun of [[], ["--dry-run"]]) {
    expect(await deployment.run("rollback", "--to", "gateway", ...dryRun)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("gateway lies ahead"),
    });
  }
  expect(await deployment.run("rollback", "--dry-run")).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("take back proxy"),
  });
  expect(await deployment.run("restore-defaults", "--dry-run")).toMatchObject({ exitCode: 0 });
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy"]);
});

test("with --json there is one document to read, also about a wrong command line or file", async () => {
  const deployment = await setup();
  for (const wrong of [["stage", "next", "tea"], ["rollback", "--to", "moon"], ["brew"], []]) {
    const { exitCode, stdout, stderr } = await deployment.run(...wrong, "--json");
    expect(exitCode, wrong.join(" ")).toBe(2);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ verdict: "fail", reason: "usage", exitCode: 2 });
    expect(stderr).toContain(document.error);
  }
  await writeFile(join(deployment.directory, "rollout.yaml"), "edge: 7");
  const { exitCode, stdout } = await deployment.run("stage", "status", "--json");
  expect(exitCode).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    verb: "stage",
    reason: "configuration",
    error: expect.stringContaining("edge must be a map"),
  });
});

test("a reader that is gone does not stop the way back", async () => {
  const deployment = await setup({
    commands: { "rollback-proxy": "echo going back; sleep 0.3; echo rollback-proxy >> log" },
  });
  await deployment.run("stage", "next");
  const rollback = deployment.start("rollback");
  rollback.stdout?.destroy();
  rollback.stderr?.destroy();
  const [exitCode] = await once(rollback, "exit");
  expect(exitCode).toBe(3);
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
});

test.each(["stage", "rollback", "restore-defaults", "evidence"])("%s --help", async (verb) => {
  const deployment = await setup();
  const help = await deployment.run(verb, "--help");
  expect(help).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("Exit codes: 0 pass"),
  });
});

async function reachProxy(deployment: FakeDeployment): Promise<void> {
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
}

async function setup(options: FakeOptions = {}): Promise<FakeDeployment> {
  const deployment = await createFakeDeployment(options);
  onTestFinished(deployment.remove);
  return deployment;
}
