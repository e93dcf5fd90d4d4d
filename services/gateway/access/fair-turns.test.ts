import { afterEach, expect, test, vi } from "vitest";
import { FairTurns, type TurnBounds } from "./fair-turns.ts";

const BOUNDS: TurnBounds = {
  atOnce: 4,
  atOncePerKey: 2,
  waiting: 100,
  waitingPerKey: 50,
  waitMs: 1_000,
};

afterEach(() => {
  vi.useRealTimers();
});

test("a key has no more in flight than its part, and the rest stays free for others", async () => {
  const { ask, begun } = setup(BOUNDS);
  for (let index = 0; index < 10; index++) void ask("greedy", `greedy ${index}`);
  void ask("other", "other");
  await settled();
  expect(begun).toEqual(["greedy 0", "greedy 1", "other"]);
});

test("a key that asks for little waits for one turn of each other key at most", async () => {
  const { ask, begun, end } = setup({ ...BOUNDS, atOnce: 1, atOncePerKey: 1 });
  for (const key of ["a", "b", "c"]) {
    for (let index = 0; index < 20; index++) void ask(key, `${key}${index}`);
  }
  void ask("modest", "modest");
  await settled();
  for (let turn = 0; turn < 4; turn++) await end();
  expect(begun).toEqual(["a0", "a1", "b0", "c0", "modest"]);
});

test("what waits for too long gets no turn, and takes nobody's", async () => {
  vi.useFakeTimers();
  const { ask, begun, end } = setup({ ...BOUNDS, atOnce: 1 });
  void ask("a", "first");
  const late = ask("b", "late");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await late).toBeUndefined();
  void ask("c", "next");
  await end();
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(["first", "next"]);
});

test("a key that waits for too much is refused at once; a full room takes from the greediest", async () => {
  const { ask, begun, end } = setup({ ...BOUNDS, atOnce: 1, waiting: 3, waitingPerKey: 3 });
  void ask("a", "a0");
  const greedy = [ask("a", "a1"), ask("a", "a2"), ask("a", "a3")];
  expect(await ask("a", "a4")).toBeUndefined();
  const modest = ask("b", "b0");
  expect(await greedy[2]).toBeUndefined();
  for (let turn = 0; turn < 4; turn++) await end();
  expect(begun).toEqual(["a0", "a1", "b0", "a2"]);
  expect(await modest).toBe("b0");
});

test("work that fails ends its turn", async () => {
  const turns = new FairTurns({ ...BOUNDS, atOnce: 1 });
  await expect(turns.run("a", async () => await Promise.reject(new Error("no")))).rejects.toThrow();
  expect(await turns.run("b", async () => "done")).toBe("done");
});

function setup(bounds: TurnBounds) {
  const turns = new FairTurns(bounds);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    ask: (key: string, name: string) =>
      turns.run(key, async () => {
        begun.push(name);
        await new Promise<void>((resolve) => ends.push(resolve));
        return name;
      }),
    async end() {
      ends.shift()?.();
      await settled();
    },
  };
}

async function settled(): Promise<void> {
  for (let tick = 0; tick < 10; tick++) await Promise.resolve();
}
