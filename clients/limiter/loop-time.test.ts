import { expect, test } from "vitest";
import { LoopTime } from "./loop-time.ts";

test("read() leaves out the time in which the event loop stood still", () => {
  const loop = new LoopTime(20);
  loop.start(1_000);
  const timeline = [
    { atMs: 1_020, isLate: false, readMs: 1_020 },
    { atMs: 1_045, isLate: false, readMs: 1_045 },
    { atMs: 1_765, isLate: true, readMs: 1_065 },
    { atMs: 1_785, isLate: false, readMs: 1_085 },
  ];
  for (const { atMs, isLate, readMs } of timeline) {
    expect(loop.tick(atMs), `${atMs}`).toBe(isLate);
    expect(loop.read(atMs), `${atMs}`).toBe(readMs);
  }
});

test("read() knows of a stall before the tick that ends it", () => {
  const loop = new LoopTime(20);
  loop.start(0);
  expect(loop.read(700)).toBe(20);
  loop.tick(700);
  expect(loop.read(700)).toBe(20);
});

test("start() forgets the time in which no ticks were expected", () => {
  const loop = new LoopTime(20);
  loop.start(0);
  loop.tick(20);
  loop.start(10_000);
  expect(loop.read(10_010)).toBe(10_010);
});
