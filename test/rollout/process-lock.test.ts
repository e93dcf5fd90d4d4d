import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { identityOf, isAlive } from "../../tools/rollout/process-identity.ts";
import { acquireLock, findHolder } from "../../tools/rollout/process-lock.ts";

const NOW = { purpose: "a test", waitMs: 0 };

test("acquireLock() gives a lock to one at a time, and tells who has it", async () => {
  const { file } = await setup();
  const lock = await acquireLock(file, NOW);
  await expect(acquireLock(file, NOW)).rejects.toThrow(
    `process ${process.pid} is at work here (a test)`,
  );
  expect(await findHolder(file)).toMatchObject({ process: { pid: process.pid } });
  await lock.release();
  await (await acquireLock(file, NOW)).release();
  expect(await findHolder(file)).toBeUndefined();
});

test("acquireLock() takes over from a process that is dead, and from a later one with its id", async () => {
  const { file, directory } = await setup();
  const dead = { id: "x", process: { pid: await deadPid(), startedAt: "1" }, purpose: "crashed" };
  const reused = { ...dead, process: { pid: process.pid, startedAt: "1" } };
  for (const holder of [dead, reused]) {
    await writeFile(file, JSON.stringify(holder));
    expect(await findHolder(file)).toBeUndefined();
    const lock = await acquireLock(file, NOW);
    await lock.ensureHeld();
    await lock.release();
  }
  expect(await readdir(directory)).toEqual([]);
});

test("of many who find a dead one's lock, each has it alone", async () => {
  const { file } = await setup();
  const process = { pid: await deadPid(), startedAt: "1" };
  await writeFile(file, JSON.stringify({ id: "x", process, purpose: "crashed" }));
  let holders = 0;
  let holdersMax = 0;
  const work = async () => {
    const lock = await acquireLock(file, { purpose: "a test", waitMs: 30_000 });
    holders += 1;
    holdersMax = Math.max(holdersMax, holders);
    await lock.ensureHeld();
    holders -= 1;
    await lock.release();
  };
  await Promise.all(Array.from({ length: 20 }, work));
  expect(holdersMax).toBe(1);
});

test("acquireLock() takes over from one who died while taking over", async () => {
  const { file, directory } = await setup();
  const process = { pid: await deadPid(), startedAt: "1" };
  await writeFile(file, JSON.stringify({ id: "first", process, purpose: "crashed" }));
  await writeFile(`${file}.first`, JSON.stringify({ id: "second", process, purpose: "crashed" }));
  const lock = await acquireLock(file, NOW);
  await lock.ensureHeld();
  await lock.release();
  expect(await readdir(directory)).toEqual([]);
});

test("a lock that was taken over says so, and releasing it takes nothing from the new holder", async () => {
  const { file } = await setup();
  const lost = await acquireLock(file, NOW);
  await rm(file);
  const held = await acquireLock(file, NOW);
  await expect(lost.ensureHeld()).rejects.toThrow("took over");
  await lost.release();
  await held.ensureHeld();
});

test("isAlive() knows a process from one that started at another time", () => {
  const mine = identityOf(process.pid);
  expect(isAlive(mine)).toBe(true);
  expect(isAlive({ ...mine, startedAt: "1" })).toBe(false);
});

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid ?? 0;
}

async function setup() {
  const directory = await mkdtemp(join(tmpdir(), "portcullis-rollout-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return { directory, file: join(directory, "lock") };
}
