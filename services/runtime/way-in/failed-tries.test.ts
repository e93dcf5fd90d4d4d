import { expect, test } from "vitest";
import { FailedTries } from "./failed-tries.ts";

test("an address has twenty tries at once, then one every three seconds", () => {
  const tries = new FailedTries();
  for (let count = 0; count < 20; count++) expect(tries.add("a", 0), `try ${count}`).toBe(0);
  expect(tries.add("a", 0)).toBe(3_000);
  expect(tries.add("b", 0)).toBe(0);
  expect(tries.add("a", 2_999)).toBe(1);
  expect(tries.add("a", 3_000)).toBe(0);
  expect(tries.add("a", 3_000)).toBe(3_000);
});

test("a clock that steps back locks nobody out for longer than the tries are worth", () => {
  const tries = new FailedTries();
  for (let count = 0; count < 20; count++) tries.add("a", 1_000_000);
  expect(tries.add("a", 0)).toBeGreaterThan(0);
});
