import { expect, test } from "vitest";
import { FairQueue, overloaded, type Place } from "./fair-queue.ts";

const BOUNDS = { runningMax: 1, waitingMax: 4, shareWaitingMax: 3, waitMsMax: waits(60_000) };

test("run() lets known clients go first, and strangers once in a while", async () => {
  const { run, release, begun } = setup();
  for (const name of ["a", "b"]) void run(name, { lane: "stranger", share: name });
  for (const name of ["1", "2", "3"]) void run(name, { lane: "known", share: name });
  for (const name of ["4", "5"]) {
    await release();
    void run(name, { lane: "known", share: name });
  }
  for (let turn = 0; turn < 6; turn++) await release();
  expect(begun).toEqual(["1", "2", "3", "4", "a", "5", "b"]);
});

test("run() gives each share its turn", async () => {
  const { run, release, begun } = setup();
  for (const name of ["a1", "a2", "a3"]) void run(name, { lane: "stranger", share: "a" });
  void run("b1", { lane: "stranger", share: "b" });
  for (let turn = 0; turn < 5; turn++) await release();
  expect(begun).toEqual(["a1", "b1", "a2", "a3"]);
});

test("run() sheds at once what is beyond a share, and the newest of the heaviest for a newcomer", async () => {
  const { run, release, begun } = setup();
  for (const name of ["a1", "a2", "a3"]) void run(name, { lane: "stranger", share: "a" });
  expect(await run("a4", { lane: "stranger", share: "a" })).toBe(overloaded);
  void run("b1", { lane: "stranger", share: "b" });
  void run("c1", { lane: "stranger", share: "c" });
  expect(await run("b2", { lane: "stranger", share: "b" })).toBe(overloaded);
  void run("d1", { lane: "known", share: "d" });
  for (let turn = 0; turn < 6; turn++) await release();
  expect(begun).toEqual(["d1", "a1", "b1", "c1", "a2"]);
});

test("run() sheds what waits too long, and gives its place to nobody twice", async () => {
  const { run, release, begun } = setup({ ...BOUNDS, waitMsMax: waits(1) });
  expect(await run("late", { lane: "stranger", share: "a" })).toBe(overloaded);
  await release();
  const next = run("next", { lane: "stranger", share: "a" });
  await settled();
  await release();
  expect(await next).toBe("next");
  expect(begun).toEqual(["next"]);
});

test("run() gives the place back when work fails", async () => {
  const queue = new FairQueue(BOUNDS);
  const place: Place = { lane: "stranger", share: "" };
  const failing = queue.run(place, async () => {
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await queue.run(place, async () => 1)).toBe(1);
});

function waits(waitMs: number) {
  return { known: waitMs, stranger: waitMs };
}

/** A queue with its only place taken; `release` ends whatever runs and lets the next begin. */
function setup(bounds = BOUNDS) {
  const queue = new FairQueue(bounds);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const work = async () => await new Promise<void>((resolve) => ends.push(resolve));
  void queue.run({ lane: "stranger", share: "first" }, work);
  const run = async (name: string, place: Place) =>
    await queue.run(place, async () => {
      begun.push(name);
      await work();
      return name;
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
