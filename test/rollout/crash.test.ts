import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createFakeDeployment, type FakeDeployment, type FakeOptions } from "./rollout-fixture.ts";

/** Logs that it has begun, then hangs until a file `go` exists. */
const HANG = "echo begun >> log; while [ ! -e go ]; do sleep 0.05; done; echo ended >> log";

test("a stage that nobody confirms in time is taken back by the timer alone", async () => {
  const deployment = await setup({ deadManSeconds: 2 });
  expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 0 });
  expect(await deployment.settled()).toMatchObject({
    state: { position: "baseline", touched: [] },
  });
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy", "rollback-proxy"]);
  expect((await deployment.run("stage", "confirm")).stderr).toContain("nothing waits");
  expect((await deployment.run("stage", "status")).stdout).toContain("rolled-back to baseline");
  expect((await evidenceOf(deployment)).filter(({ kind }) => kind.startsWith("timer"))).toEqual([
    expect.objectContaining({ kind: "timer-armed" }),
    expect.objectContaining({ kind: "timer-extended" }),
    expect.objectContaining({
      kind: "timer-fired",
      data: { to: "baseline", reason: "nobody confirmed stage proxy in time" },
    }),
  ]);
});

test("the timer takes only the unconfirmed stage back", async () => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  await deployment.setDeadManSeconds(2);
  await deployment.run("stage", "next");
  expect(await deployment.settled()).toMatchObject({ state: { position: "proxy" } });
  expect((await deployment.log()).slice(2)).toEqual([
    ...["apply-limiter", "apply-auth", "verify-api"],
    ...["rollback-auth", "rollback-limiter"],
  ]);
});

test("a confirmed stage is left alone: its timer ends", async () => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  const { process } = await deployment.timer();
  await eventually(() => expect(() => globalThis.process.kill(process.pid, 0)).toThrow());
  expect(await deployment.timer()).toMatchObject({ status: "disarmed" });
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy"]);
});

test("killed in the middle of a change, the program leaves the way back to the timer", async () => {
  const deployment = await setup({ commands: { "apply-auth": HANG } });
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  // Long enough for the limiter's change to end and for auth's, which hangs, to begin.
  await deployment.setDeadManSeconds(8);
  const cli = deployment.start("stage", "next");
  await eventually(async () => expect(await deployment.log()).toContain("begun"), 10_000);
  await kill(cli);
  // The command that it started still runs, and must not complete during the rollback.
  expect(await deployment.journal()).toMatchObject({ running: { pid: expect.any(Number) } });
  expect(await deployment.settled()).toMatchObject({
    state: { position: "proxy", touched: ["proxy"] },
    running: null,
  });
  expect((await deployment.log()).slice(2)).toEqual([
    ...["apply-limiter", "begun", "rollback-auth", "rollback-limiter"],
  ]);
});

test("a program that hangs when its time comes is ended by the timer", async () => {
  const deployment = await setup({ deadManSeconds: 5, commands: { "apply-proxy": HANG } });
  const cli = deployment.start("stage", "next");
  await eventually(async () => expect(await deployment.log()).toContain("begun"), 10_000);
  cli.kill("SIGSTOP");
  const ended = once(cli, "exit");
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect(await deployment.log()).toEqual(["begun", "rollback-proxy"]);
});

test("a rollback that is killed half-way is finished by the timer", async () => {
  const deployment = await setup({
    // Hangs the first time only: rollback commands are idempotent.
    commands: {
      "rollback-limiter": `if [ ! -e seen ]; then touch seen; ${HANG}; fi; echo rollback-limiter >> log`,
    },
  });
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  await deployment.setDeadManSeconds(5);
  const cli = deployment.start("rollback");
  await eventually(async () => expect(await deployment.log()).toContain("begun"), 10_000);
  await kill(cli);
  expect(await deployment.settled()).toMatchObject({
    state: { position: "baseline", touched: [] },
  });
  expect((await deployment.log()).slice(-4)).toEqual([
    ...["rollback-auth", "begun", "rollback-limiter", "rollback-proxy"],
  ]);
});

test("rollback goes on at once after a crash; nobody has to wait for the timer", async () => {
  const deployment = await setup({ commands: { "apply-proxy": HANG } });
  const cli = deployment.start("stage", "next");
  await eventually(async () => expect(await deployment.log()).toContain("begun"), 10_000);
  await kill(cli);
  expect((await deployment.run("stage", "next")).stderr).toContain("applying");
  await deployment.run("rollback");
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
  expect(await deployment.log()).toEqual(["begun", "rollback-proxy"]);
});

test("a timer whose rollback command fails tries again", async () => {
  const deployment = await setup({
    deadManSeconds: 1,
    commands: {
      "rollback-proxy": "if [ ! -e seen ]; then touch seen; exit 1; fi; echo second >> log",
    },
  });
  await deployment.run("stage", "next");
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
  expect((await deployment.log()).at(-1)).toBe("second");
});

test("status says so when the timer itself is gone", async () => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  const { process } = await deployment.timer();
  globalThis.process.kill(process.pid, "SIGKILL");
  await eventually(async () => {
    expect((await deployment.run("stage", "status")).stdout).toContain("GONE");
  });
  await deployment.run("rollback");
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
});

// From before taking the lock to after the verification; what falls where depends on the machine.
test.each([60, 150, 250, 350, 450, 700])(
  "killed after %i ms, it begins again from where nothing was left half-done",
  async (afterMs) => {
    const deployment = await setup({ deadManSeconds: 1 });
    const cli = deployment.start("stage", "next");
    await sleep(afterMs);
    await kill(cli);
    await eventually(async () => {
      expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 0 });
    }, 20_000);
    await deployment.run("rollback");
    const changes = (await deployment.log()).filter((line) => line !== "verify-proxy");
    const [once, twice] = [
      ["apply-proxy", "rollback-proxy"],
      ["apply-proxy", "rollback-proxy"],
    ];
    expect([once, [...once, ...twice]]).toContainEqual(changes);
  },
);

async function evidenceOf(deployment: FakeDeployment): Promise<{ kind: string; data: unknown }[]> {
  const text = await readFile(`${deployment.directory}/state/evidence.jsonl`, "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = Promise.race([once(child, "exit"), isOver(child)]);
  child.kill("SIGKILL");
  await ended;
}

/** A child that has already exited emits no further `exit` event. */
async function isOver(child: ChildProcess): Promise<void> {
  await eventually(() => expect([child.exitCode, child.signalCode]).not.toEqual([null, null]));
}

async function setup(options: FakeOptions = {}): Promise<FakeDeployment> {
  const deployment = await createFakeDeployment(options);
  onTestFinished(deployment.remove);
  return deployment;
}
