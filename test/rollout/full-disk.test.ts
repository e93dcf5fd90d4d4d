import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { appendEvidence, readEvidence } from "../../tools/rollout/evidence/evidence-log.ts";
import { stateFilesIn } from "../../tools/rollout/files/state-files.ts";
import { eventually } from "../fixtures/eventually.ts";
import { createFakeDeployment, type FakeDeployment, type FakeOptions } from "./rollout-fixture.ts";
import { canMount, mountSmallDisk, type SmallDisk } from "./small-disk.ts";

/** A loaded machine takes seconds to start a process; the timer tries more than once. */
const TIMER_TIMEOUT_MS = 20_000;
/** Exits at once if its output cannot be written. */
const TALKATIVE = "set -e; echo going back; echo rollback-proxy >> log";

describe.runIf(canMount())("the state directory's disk", () => {
  test("full: the timer takes the stage back, and a later rollback writes that down", async () => {
    const { deployment, disk } = await setup({
      deadManSeconds: 2,
      commands: { "rollback-proxy": TALKATIVE },
    });
    expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 0 });
    const { process: timer } = await deployment.timer();
    disk.fill();
    await hasGoneBack(deployment);
    await eventually(() => expect(() => process.kill(timer.pid, 0)).toThrow());
    const status = await deployment.run("stage", "status");
    expect(status.stdout).toContain("nobody watches");
    disk.free();
    await deployment.run("rollback");
    expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
    await evidenceHolds(deployment);
  });

  test("full: rollback goes back, and says loudly what was not recorded", async () => {
    const { deployment, disk } = await setup({ commands: { "rollback-proxy": TALKATIVE } });
    await deployment.run("stage", "next");
    disk.fill();
    const rollback = await deployment.run("rollback");
    expect(await deployment.log()).toContain("rollback-proxy");
    expect(rollback.stdout).toContain("took back proxy; the deployment is back at baseline");
    expect(rollback.stderr).toMatch(/NOT RECORDED: the journal.*ENOSPC/s);
    const asJson = await deployment.run("rollback", "--json");
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      takenBack: ["proxy"],
      unrecorded: expect.arrayContaining(["the journal"]),
    });
    // Failed writes leave no partial files behind, however often they are tried.
    const left = await readdir(join(deployment.directory, "state"));
    expect(left.filter((name) => /[0-9a-f]{8}-/.test(name))).toEqual([]);
    disk.free();
    const again = await deployment.run("rollback", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ takenBack: ["proxy"], unrecorded: [] });
    expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
    await evidenceHolds(deployment);
  });

  test("full: the evidence never runs ahead of its head by more than one record", async () => {
    const { deployment, disk } = await setup();
    const files = stateFilesIn(join(deployment.directory, "state"));
    const append = (data: string) =>
      appendEvidence(files, { kind: "note", data, nowMs: Date.now() });
    await append("first");
    disk.fill();
    // The records fit behind the first one, but the disk has no room for a new head.
    for (const data of ["second", "third", "fourth"]) {
      await expect(append(data)).rejects.toThrow("ENOSPC");
    }
    disk.free();
    await append("fifth");
    const { records } = await readEvidence(files);
    expect(records.map(({ data }) => data)).toEqual(["first", "second", "fifth"]);
  });

  test("full: nothing is applied", async () => {
    const { deployment, disk } = await setup();
    disk.fill();
    const next = await deployment.run("stage", "next");
    expect(next.exitCode).toBe(1);
    expect(next.stderr).toContain(`cannot be written in ${deployment.directory}/state: ENOSPC`);
    expect(next.stderr).toContain('see "A full disk" in RUNBOOK.md');
    expect(await deployment.log()).toEqual([]);
  });

  test("read-only: the timer takes the stage back without the lock", async () => {
    const { deployment, disk } = await setup({ deadManSeconds: 3 });
    await deployment.run("stage", "next");
    disk.setReadOnly();
    await hasGoneBack(deployment);
  });

  test("read-only: rollback goes back without the lock, and says so", async () => {
    const { deployment, disk } = await setup();
    await deployment.run("stage", "next");
    disk.setReadOnly();
    const rollback = await deployment.run("rollback");
    expect(await deployment.log()).toContain("rollback-proxy");
    expect(rollback.stdout).toContain("WITHOUT THE LOCK");
    expect(rollback.stderr).toMatch(/NOT RECORDED: the journal.*EROFS/s);
  });
});

async function hasGoneBack(deployment: FakeDeployment): Promise<void> {
  await eventually(async () => {
    expect(await deployment.log()).toContain("rollback-proxy");
  }, TIMER_TIMEOUT_MS);
}

async function evidenceHolds(deployment: FakeDeployment): Promise<void> {
  const out = join(deployment.directory, "report");
  expect(await deployment.run("evidence", "--out", out)).toMatchObject({ exitCode: 0 });
  expect(await deployment.run("evidence", "verify", `${out}.html`)).toMatchObject({ exitCode: 0 });
}

async function setup(
  options: FakeOptions = {},
): Promise<{ deployment: FakeDeployment; disk: SmallDisk }> {
  const deployment = await createFakeDeployment(options);
  onTestFinished(deployment.remove);
  const disk = mountSmallDisk(join(deployment.directory, "state"));
  onTestFinished(disk.unmount);
  return { deployment, disk };
}
