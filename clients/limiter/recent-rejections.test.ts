import { expect, test } from "vitest";
import { RecentRejections } from "./recent-rejections.ts";

test("leftMs() holds a rejection for its wait, and for a minute at most", () => {
  const rejections = new RecentRejections();
  rejections.add("a", 1_000, 500);
  rejections.add("b", 1_000, 300_000);
  const steps = [
    { name: "a", atMs: 1_000, leftMs: 500 },
    { name: "a", atMs: 1_499, leftMs: 1 },
    { name: "a", atMs: 1_500, leftMs: 0 },
    { name: "b", atMs: 1_000, leftMs: 60_000 },
    { name: "b", atMs: 61_000, leftMs: 0 },
    { name: "c", atMs: 1_000, leftMs: 0 },
  ];
  for (const { name, atMs, leftMs } of steps) {
    expect(rejections.leftMs(name, atMs), `${name} at ${atMs}`).toBe(leftMs);
  }
});

test("leftMs() does not hold for ever when the clock steps back", () => {
  const rejections = new RecentRejections();
  rejections.add("a", 1_000_000, 60_000);
  expect(rejections.leftMs("a", 1)).toBe(0);
});

test("add() forgets the oldest beyond ten thousand", () => {
  const rejections = new RecentRejections();
  for (let key = 0; key <= 10_000; key++) rejections.add(`${key}`, 0, 1_000);
  expect([rejections.leftMs("0", 0), rejections.leftMs("1", 0)]).toEqual([0, 1_000]);
});
