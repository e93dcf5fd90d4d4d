import { expect, test } from "vitest";
import { LimitedAttempts } from "./limited-logins.ts";

test("LimitedAttempts enters an attempt once in a minute, and says how many it passed over", () => {
  const attempts = new LimitedAttempts();
  const steps = [
    { atMs: 0, name: "a", entered: 0 },
    { atMs: 1, name: "a", entered: undefined },
    { atMs: 2, name: "a", entered: undefined },
    { atMs: 3, name: "b", entered: 2 },
    { atMs: 59_999, name: "a", entered: undefined },
    { atMs: 60_000, name: "a", entered: 1 },
    // The clock stepped back.
    { atMs: -60_000, name: "a", entered: 0 },
  ];
  for (const { atMs, name, entered } of steps) {
    expect(attempts.enter(name, atMs), `${name} at ${atMs}`).toBe(entered);
  }
});

test("LimitedAttempts enters 60 a minute, whatever they name", () => {
  const attempts = new LimitedAttempts();
  const entered = Array.from({ length: 10_000 }, (_, index) => attempts.enter(`${index}`, 0));
  expect(entered.filter((passedOver) => passedOver !== undefined)).toHaveLength(60);
  expect(attempts.enter("next", 60_000)).toBe(9_940);
});
