import { expect, test } from "vitest";
import { DecisionBudget } from "./decision-budget.ts";
import { DECISIONS } from "./frame-budget.ts";

test("take() promises a refused request a decision that is then there", () => {
  const budget = new DecisionBudget(0);
  expect(budget.take(0, DECISIONS.burst)).toBe(0);
  const waits = Array.from({ length: 30 }, () => budget.take(0, 1));
  expect([waits[0], waits[9], waits[10], waits[29]]).toEqual([1_000, 1_000, 1_100, 3_000]);
  for (const waitMs of waits) expect(budget.take(waitMs, 1), `after ${waitMs}`).toBe(0);
});

test("take() waits for all of several, and never longer than the whole budget takes", () => {
  const budget = new DecisionBudget(0);
  expect(budget.take(0, 60)).toBe(0);
  expect(budget.take(0, 50)).toBe(1_000);
  expect(budget.take(0, 50)).toBe(6_000);
  for (let refused = 0; refused < 100; refused++) budget.take(0, 50);
  expect(budget.take(0, 50)).toBe(10_000);
  expect(budget.take(10_000, 50)).toBe(0);
});

test("take() forgets its promises once they are due, and survives a clock that steps back", () => {
  const budget = new DecisionBudget(1_000_000);
  budget.take(1_000_000, DECISIONS.burst);
  budget.take(1_000_000, 1);
  expect(budget.take(1_020_000, DECISIONS.burst)).toBe(0);
  expect(budget.take(1_020_000, 1)).toBe(1_000);
  expect(budget.take(0, 1)).toBeLessThanOrEqual(10_000);
});
