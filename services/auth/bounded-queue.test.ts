import { expect, test } from "vitest";
import { createBoundedQueue, overloaded } from "./bounded-queue.ts";

test("createBoundedQueue() runs as much as it may, queues in order and refuses the rest", async () => {
  const { queue, begun, finish } = setup({ concurrencyMax: 2, waitingMax: 1 });
  const first = queue("first");
  const second = queue("second");
  const third = queue("third");
  expect(await queue("fourth")).toBe(overloaded);
  expect(begun).toEqual(["first", "second"]);

  finish("second");
  expect(await second).toBe("second");
  await expect.poll(() => begun).toEqual(["first", "second", "third"]);
  finish("first");
  finish("third");
  expect(await Promise.all([first, third])).toEqual(["first", "third"]);
});

test("createBoundedQueue() gives the place of failed work to the next", async () => {
  const queue = createBoundedQueue({ concurrencyMax: 1, waitingMax: 1 });
  const failing = queue.run(() => Promise.reject(new Error("broken")));
  const next = queue.run(() => Promise.resolve("next"));
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("next");
});

function setup(bounds: { concurrencyMax: number; waitingMax: number }) {
  const bounded = createBoundedQueue(bounds);
  const begun: string[] = [];
  const finishers = new Map<string, (value: string) => void>();
  const queue = (name: string) =>
    bounded.run(() => {
      begun.push(name);
      return new Promise<string>((resolve) => finishers.set(name, resolve));
    });
  return { queue, begun, finish: (name: string) => finishers.get(name)?.(name) };
}
