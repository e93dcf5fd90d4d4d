import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findHolder } from "../../tools/rollout/files/process-lock.ts";
import { readJournal } from "../../tools/rollout/state/journal.ts";
import { eventually } from "../fixtures/eventually.ts";
import { createFakeDeployment, type FakeDeployment, type FakeOptions } from "./rollout-fixture.ts";

/** A loaded machine takes seconds to start a process, and the timer is another process. */
const TIMER_TIMEOUT_MS = 20_000;
const RUNBOOK_SECTION = '"A journal that cannot be read" in RUNBOOK.md';

test.each([
  ["garbage", (lock: string) => writeFile(lock, "{ no lock\u0000")],
  ["empty", (lock: string) => writeFile(lock, "")],
  ["a link to nobody", (lock: string) => symlink("nobody", lock)],
])("a lock that is %s stops neither the timer nor any verb", async (_what, damageNow) => {
  // A process that has just settled releases the lock a moment later: wait for that.
  const damage = async (file: string) => {
    await eventually(async () => expect(await findHolder(file)).toBeUndefined(), TIMER_TIMEOUT_MS);
    await damageNow(file);
  };
  const deployment = await setup({ deadManSeconds: 2 });
  const lock = join(deployment.directory, "state/lock");
  await deployment.run("stage", "next");
  await damage(lock);
  expect(await deployment.run("stage", "status")).toMatchObject({ exitCode: 0 });
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy", "rollback-proxy"]);

  await deployment.setDeadManSeconds(30);
  await damage(lock);
  await damage(join(deployment.directory, "state/evidence.lock"));
  expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 0 });
  await damage(lock);
  expect(await deployment.run("stage", "confirm")).toMatchObject({ exitCode: 0 });
  await damage(lock);
  await deployment.run("rollback");
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
});

test("a lock that cannot be replaced does not stop the way back", async () => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  // A directory that is not empty: no lock can replace it.
  await mkdir(join(deployment.directory, "state/lock/inside"), { recursive: true });
  const rollback = await deployment.run("rollback");
  expect(rollback.stdout).toContain("took back proxy");
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
});

test.each<[string, (file: string) => Promise<void>]>([
  ["damaged", (file) => writeFile(file, "{")],
  ["removed", (file) => rm(file)],
])(
  "a journal %s while a stage waits: the timer goes back as it last knew",
  async (_how, damage) => {
    const deployment = await setup({ deadManSeconds: 3 });
    // Damage the journal at once: the timer may have last read it before the change began.
    await deployment.run("stage", "next");
    await damage(join(deployment.directory, "state/journal.json"));
    expect(await deployment.run("stage", "confirm")).toMatchObject({ exitCode: 1 });
    await eventually(async () => {
      expect((await deployment.log()).at(-1)).toBe("rollback-proxy");
    }, TIMER_TIMEOUT_MS);
    expect(await deployment.settled()).toMatchObject({
      state: { position: "baseline", touched: [] },
    });
  },
);

test("a timer's file that cannot be read is named, and stops nothing", async () => {
  const deployment = await setup();
  const file = join(deployment.directory, "state/timer.json");
  await deployment.run("stage", "next");
  for (const damage of ["", "{", "null", '{"token":"x"}']) {
    await writeFile(file, damage);
    const status = await deployment.run("stage", "status");
    expect(status, damage).toMatchObject({
      exitCode: 3,
      stdout: expect.stringContaining("position"),
      stderr: expect.stringContaining(`${file} cannot be read`),
    });
    const asJson = await deployment.run("stage", "status", "--json");
    expect(JSON.parse(asJson.stdout), damage).toMatchObject({
      position: "baseline",
      timer: { isWatching: null },
      problem: expect.stringContaining(file),
    });
  }
  expect(await deployment.run("stage", "confirm")).toMatchObject({ exitCode: 0 });
  await writeFile(file, "{");
  expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 0 });
  await writeFile(file, "{");
  await deployment.run("rollback");
  expect(await deployment.settled()).toMatchObject({ state: { position: "proxy" } });
});

test.each<[string, (journal: Record<string, unknown>) => object]>([
  ["nothing but its format", ({ format }) => ({ format })],
  ["no commands", ({ rollbackCommands: _, ...rest }) => rest],
  ["a position that there is not", (journal) => withState(journal, { position: "moon" })],
  ["a change that there is not", (journal) => withState(journal, { touched: ["moon"] })],
  ["no activity", (journal) => withState(journal, { activity: { kind: "staging" } })],
  ["no state", (journal) => ({ ...journal, state: null })],
  ["a deadline that is none", (journal) => ({ ...journal, timer: { token: "x" } })],
  ["a deadline beyond time", (journal) => withDeadline(journal, 1e300)],
  ["a process that must not be ended", (journal) => withRunning(journal, 1)],
  ["a process that is a whole group", (journal) => withRunning(journal, -1)],
  ["a day that there is not", (journal) => ({ ...journal, leftBaselineAt: "yesterday" })],
  ["snapshots of nothing", (journal) => ({ ...journal, snapshots: { baseline: [null] } })],
  ["checks of nothing", (journal) => ({ ...journal, lastChecks: { proxy: {} } })],
])("readJournal() refuses a journal with %s", async (_what, damage) => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  const file = join(deployment.directory, "state/journal.json");
  const journal = { ...(await deployment.journal()) };
  await writeFile(file, JSON.stringify(journal));
  expect(await readJournal(file)).toEqual(journal);
  await writeFile(file, JSON.stringify(damage(journal)));
  await expect(readJournal(file)).rejects.toThrow(RUNBOOK_SECTION);
});

test("stage status says what to do about a journal that cannot be believed", async () => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  const journal = await deployment.journal();
  const moon = { ...journal, state: { ...journal.state, position: "moon" } };
  await writeFile(join(deployment.directory, "state/journal.json"), JSON.stringify(moon));
  const status = await deployment.run("stage", "status");
  expect(status).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(RUNBOOK_SECTION) });
});

function withState(journal: Record<string, unknown>, change: object): object {
  return { ...journal, state: Object.assign({}, journal["state"], change) };
}

function withDeadline(journal: Record<string, unknown>, deadlineAtMs: number): object {
  return { ...journal, timer: { token: "x", deadlineAtMs } };
}

function withRunning(journal: Record<string, unknown>, pid: number): object {
  return { ...journal, running: { pid, startedAt: "1" } };
}

async function setup(options: FakeOptions = {}): Promise<FakeDeployment> {
  const deployment = await createFakeDeployment(options);
  onTestFinished(deployment.remove);
  return deployment;
}
