import { expect, test } from "vitest";
import { setNewest } from "./set-newest.ts";

test("setNewest() forgets what was set longest ago, and keeps what was set again", () => {
  const map = new Map<string, number>();
  for (const [key, value] of [
    ["a", 1],
    ["b", 2],
    ["a", 3],
    ["c", 4],
  ] as const) {
    setNewest(map, key, value, 2);
  }
  expect([...map]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
});

test("setNewest() of a known key in a full map forgets nothing", () => {
  const map = new Map([
    ["a", 1],
    ["b", 2],
  ]);
  setNewest(map, "a", 3, 2);
  expect([...map.keys()]).toEqual(["b", "a"]);
});
