import { expect, test } from "vitest";
import { Guesses } from "./guesses.ts";

test("isWorthIt() passes over twice as many chances after each wrong guess, and not for ever", () => {
  const guesses = new Guesses();
  const skipped = Array.from({ length: 12 }, () => {
    guesses.wasWrong();
    return countSkipped(guesses);
  });
  expect(skipped).toEqual([1, 3, 7, 15, 31, 63, 127, 255, 511, 1_023, 1_023, 1_023]);
});

test("isWorthIt() is true until a guess is wrong, and right ones win back confidence", () => {
  const guesses = new Guesses();
  expect(countSkipped(guesses)).toBe(0);
  for (let wrong = 0; wrong < 4; wrong++) guesses.wasWrong();
  expect(countSkipped(guesses)).toBe(15);
  for (let right = 0; right < 4; right++) guesses.wasRight();
  guesses.wasWrong();
  expect(countSkipped(guesses)).toBe(1);
});

function countSkipped(guesses: Guesses): number {
  let skipped = 0;
  while (!guesses.isWorthIt()) skipped++;
  return skipped;
}
