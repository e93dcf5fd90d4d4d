import { expect, test } from "vitest";
import { crowded, KeyedTurns } from "./keyed-turns.ts";

const BOUNDS = { atOnceMax: 1, waitingMax: 2, waitingTotalMax: 3, waitMsMax: 60_000 };

test("run() takes turns within a key, in order, and leaves other keys alone", async () => {
  const { run, release, begun } = setup();
  void run("a", "a1");
  void run("a", "a2");
  void run("b", "b1");
  void run("a", "a3");
  await settled();
  expect(begun).toEqual(["a1", "b1"]);
  for (let turn = 0; turn < 3; turn++) await release();
  expect(begun).toEqual(["a1", "b1", "a2", "a3"]);
});

test("run() answers at once when too many wait for a key, or for all", async () => {
  const { run } = setup();
  for (const name of ["a1", "a2", "a3"]) void run("a", name);
  expect(await run("a", "a4")).toBe(crowded);
  for (const name of ["b1", "b2"]) void run("b", name);
  expect(await run("b", "b3")).toBe(crowded);
});

test("run() ends a wait in time and keeps the order of the others", async () => {
  const { run, release, begun } = setup({ ...BOUNDS, waitMsMax: 1 });
  void run("a", "a1");
  expect(await run("a", "late")).toBe(crowded);
  await release();
  void run("a", "a2");
  await settled();
  expect(begun).toEqual(["a1", "a2"]);
});

function setup(bounds = BOUNDS) {
  const turns = new KeyedTurns(bounds);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const run = async (key: string, name: string) =>
    await turns.run(key, async () => {
      begun.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const release = async () => {
    ends.shift()?.();
    await settled();
  };
  return { run, release, begun };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
