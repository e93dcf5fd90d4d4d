import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { identityOf, isAlive } from "../../tools/rollout/files/process-identity.ts";
import { acquireLock, findHolder } from "../../tools/rollout/files/process-lock.ts";

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
  for (const pid of [await deadPid(), process.pid]) {
    await symlink(`${pid} 1 x crashed`, file);
    expect(await findHolder(file)).toBeUndefined();
    const lock = await acquireLock(file, NOW);
    await lock.ensureHeld();
    await lock.release();
  }
  expect(await readdir(directory)).toEqual([]);
});

test.each<[string, (file: string) => Promise<void>]>([
  ["garbage", (file) => writeFile(file, "{ no lock\u0000")],
  ["empty", (file) => writeFile(file, "")],
  ["a link to nobody", (file) => symlink("nobody", file)],
  ["a link to a whole group of processes", (file) => symlink("-1 1 x crashed", file)],
])(
  "acquireLock() takes over a lock that is %s, since nobody can hold it",
  async (_what, damage) => {
    const { file, directory } = await setup();
    await damage(file);
    expect(await findHolder(file)).toBeUndefined();
    const lock = await acquireLock(file, NOW);
    expect(await findHolder(file)).toMatchObject({ process: { pid: process.pid } });
    await lock.ensureHeld();
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
  },
);

test("a lock fits into its own directory entry, so that a full disk has room for it", async () => {
  const { file } = await setup();
  const lock = await acquireLock(file, { purpose: "a rollback by hand", waitMs: 0 });
  // ext4 keeps targets of less than 60 bytes in the inode; others keep longer ones.
  expect((await readlink(file)).length).toBeLessThan(60);
  await lock.release();
});

test.each<[string, (file: string) => Promise<void>]>([
  ["a dead one's", async (file) => symlink(`${await deadPid()} 1 x crashed`, file)],
  ["a damaged", (file) => writeFile(file, "")],
])("of many who find %s lock, each has it alone", async (_whose, leave) => {
  const { file } = await setup();
  await leave(file);
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
  const pid = await deadPid();
  await symlink(`${pid} 1 first crashed`, file);
  await symlink(`${pid} 1 second crashed`, `${file}.first`);
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
