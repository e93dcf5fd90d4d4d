import { expect, test } from "vitest";
import { createBoundedLane } from "./bounded-lane.ts";

test("run() bounds what is in flight and what waits, and keeps the order of arrival", async () => {
  const lane = createBoundedLane({ callsMax: 1, waitingMax: 2, waitMsMax: 10_000 });
  const order: number[] = [];
  const open: (() => void)[] = [];
  const call = (number: number) =>
    lane.run(async () => {
      order.push(number);
      await new Promise<void>((resolve) => open.push(resolve));
    });
  const first = call(1);
  const second = call(2);
  const third = call(3);
  await expect(call(4)).rejects.toThrow("too many calls wait for the limiter");
  expect(order).toEqual([1]);
  for (const one of [first, second, third]) {
    await expect.poll(() => open.length).toBe(1);
    open.shift()?.();
    await one;
  }
  expect(order).toEqual([1, 2, 3]);
});

test("run() refuses what waits too long, and passes over it", async () => {
  const lane = createBoundedLane({ callsMax: 1, waitingMax: 2, waitMsMax: 1 });
  let open = () => {};
  const first = lane.run(async () => {
    await new Promise<void>((resolve) => {
      open = resolve;
    });
  });
  await expect(lane.run(async () => "never")).rejects.toThrow("waited too long");
  open();
  await first;
  expect(await lane.run(async () => "done")).toBe("done");
});

test("run() gives its place away when a call fails", async () => {
  const lane = createBoundedLane({ callsMax: 1, waitingMax: 1, waitMsMax: 10_000 });
  const failed = lane.run(async () => await Promise.reject(new Error("no")));
  const next = lane.run(async () => "done");
  await expect(failed).rejects.toThrow("no");
  expect(await next).toBe("done");
});
