import { expect, test } from "vitest";
import { FailedTries } from "./failed-tries.ts";

test("an address has 120 tries at once, then two a second", () => {
  const tries = new FailedTries();
  for (let count = 0; count < 120; count++) expect(tries.add("a", 0), `try ${count}`).toBe(0);
  expect(tries.add("a", 0)).toBe(500);
  expect(tries.add("b", 0)).toBe(0);
  expect(tries.add("a", 499)).toBe(1);
  expect(tries.add("a", 500)).toBe(0);
  expect(tries.add("a", 500)).toBe(500);
});

test("a clock that steps back locks nobody out for longer than the tries are worth", () => {
  const tries = new FailedTries();
  for (let count = 0; count < 120; count++) tries.add("a", 1_000_000);
  expect(tries.add("a", 0)).toBeGreaterThan(0);
});
