import { expect, test } from "vitest";
import { GroupedCache } from "./grouped-cache.ts";

test("get() finds what was used last, of each group by itself", () => {
  const cache = new GroupedCache<number>(100, () => 1);
  cache.set("a", "key", 1);
  cache.set("b", "key", 2);
  expect([cache.get("a", "key"), cache.get("b", "key"), cache.get("c", "key")]).toEqual([
    1,
    2,
    undefined,
  ]);
});

test("set() keeps at most two generations, and what is used stays", () => {
  const cache = new GroupedCache<number>(10, () => 1);
  cache.set("a", "used", 0);
  for (let number = 1; number <= 100; number++) {
    cache.set("a", `key-${number}`, number);
    expect(cache.get("a", "used"), `after ${number}`).toBe(0);
  }
  const kept = Array.from({ length: 100 }, (_, i) => cache.get("a", `key-${i + 1}`));
  expect(kept.filter((value) => value !== undefined).length).toBeLessThanOrEqual(20);
  expect(kept.at(-1)).toBe(100);
});

test("set() keeps fewer of what takes more", () => {
  const cache = new GroupedCache<number>(1_000, (key, value) => key.length + value);
  for (let number = 1; number <= 100; number++) cache.set("a", `key-${number}`.padEnd(50), 50);
  const kept = Array.from({ length: 100 }, (_, i) => cache.get("a", `key-${i + 1}`.padEnd(50)));
  const count = kept.filter((value) => value !== undefined).length;
  expect(count).toBeGreaterThanOrEqual(10);
  expect(count).toBeLessThanOrEqual(20);
});
