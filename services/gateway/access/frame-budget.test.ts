import { expect, test } from "vitest";
import { FRAMES_BURST, FRAMES_PER_SECOND, fullFrameBudget, takeFrame } from "./frame-budget.ts";

test("takeFrame() lets a burst through, then as many as the rate, then none", () => {
  expect(takeAll(fullFrameBudget(0), 0)).toBe(FRAMES_BURST);
  const empty = { frames: 0, atMs: 0 };
  expect(takeAll(empty, 0)).toBe(0);
  expect(takeAll(empty, 1_000)).toBe(FRAMES_PER_SECOND);
  expect(takeAll(empty, 3_600_000)).toBe(FRAMES_BURST);
});

test("takeFrame() gives nothing for a clock that steps back", () => {
  expect(takeFrame({ frames: 0, atMs: 10_000 }, 0)).toBeUndefined();
  expect(takeFrame({ frames: 1, atMs: 10_000 }, 0)).toMatchObject({ frames: 0 });
});

function takeAll(budget: { frames: number; atMs: number }, nowMs: number): number {
  let taken = 0;
  for (let next = takeFrame(budget, nowMs); next !== undefined; taken++) {
    next = takeFrame(next, nowMs);
  }
  return taken;
}
