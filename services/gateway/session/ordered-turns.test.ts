import fc from "fast-check";
import { expect, test } from "vitest";
import { OrderedTurns } from "./ordered-turns.ts";

test("run() begins at once what waits for nothing, and the rest of a key in order", async () => {
  const turns = new OrderedTurns();
  const begun: string[] = [];
  const { work, finish } = recordedWork(begun);
  turns.run(["a"], work("first"));
  turns.run(["a"], work("second"));
  turns.run(["b"], work("other"));
  expect([begun, turns.waiting]).toEqual([["first", "other"], 1]);
  await finish("first");
  expect([begun, turns.waiting]).toEqual([["first", "other", "second"], 0]);
  await finish("second");
  turns.run(["a"], work("third"));
  expect(begun.at(-1)).toBe("third");
});

test("run() waits for every key of work that has several, and holds them all", async () => {
  const turns = new OrderedTurns();
  const begun: string[] = [];
  const { work, finish } = recordedWork(begun);
  turns.run(["a"], work("a"));
  turns.run(["b"], work("b"));
  turns.run(["a", "b", "c"], work("all"));
  turns.run(["c"], work("c"));
  await finish("a");
  expect(begun).toEqual(["a", "b"]);
  await finish("b");
  expect(begun).toEqual(["a", "b", "all"]);
  await finish("all");
  expect(begun).toEqual(["a", "b", "all", "c"]);
});

test("run() goes on after work that failed", async () => {
  const turns = new OrderedTurns();
  turns.run(["a"], () => Promise.reject(new Error("a bug")));
  const next = new Promise<void>((resolve) => {
    turns.run(["a"], () => {
      resolve();
      return undefined;
    });
  });
  await next;
});

test("run() keeps the order of each key, whatever takes how long", async () => {
  const step = fc.record({
    keys: fc.uniqueArray(fc.constantFrom<string[]>("a", "b", "c"), { minLength: 1 }),
    isSlow: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 12 }), async (delays, steps) => {
      const turns = new OrderedTurns();
      const done: number[] = [];
      for (const [number, { keys, isSlow }] of steps.entries()) {
        turns.run(keys, () => {
          if (!isSlow) return void done.push(number);
          return delays.schedule(Promise.resolve()).then(() => void done.push(number));
        });
      }
      await delays.waitIdle();
      for (const key of ["a", "b", "c"]) {
        const sent = [...steps.keys()].filter((number) => steps[number]?.keys.includes(key));
        expect(done.filter((number) => sent.includes(number))).toEqual(sent);
      }
    }),
  );
});

/** Work that notes when it begins, and ends when it is told to. */
function recordedWork(begun: string[]) {
  const ends = new Map<string, () => void>();
  return {
    work: (name: string) => () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    },
    async finish(name: string) {
      ends.get(name)?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
