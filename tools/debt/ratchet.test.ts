import { expect, test } from "vitest";
import { compareDebt, lowerBaseline } from "./ratchet.ts";

const BASELINE = { any: 0, "non-null": 1, cast: 5, suppression: 2, "to-do": 0 };

test("lowerBaseline() follows what went down and never goes up", () => {
  const counts = { any: 3, "non-null": 1, cast: 4, suppression: 0, "to-do": 1 };
  expect(lowerBaseline(counts, BASELINE)).toEqual({ ...BASELINE, cast: 4, suppression: 0 });
});

test("compareDebt() sets every kind beside its allowance", () => {
  const counts = { ...BASELINE, cast: 6 };
  expect(compareDebt(counts, BASELINE)).toContainEqual({ kind: "cast", count: 6, allowed: 5 });
});
