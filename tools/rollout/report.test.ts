import { expect, test } from "vitest";
import { renderChecks, renderChecksJson } from "./report.ts";
import type { Check } from "./verdict.ts";

const GOOD: Check = {
  id: "a.good",
  title: "Good",
  verdict: "pass",
  observed: "as it should be",
  why: "because",
  mend: "",
};
const BAD: Check = { ...GOOD, id: "a.bad.one", title: "Bad", verdict: "fail", mend: "mend it" };

test("renderChecks() tells why and what to do only where something is wrong", () => {
  expect(renderChecks([GOOD, BAD], { isTerminal: false })).toBe(
    [
      "PASS   a.good     Good: as it should be",
      "FAIL   a.bad.one  Bad: as it should be",
      "       why:  because",
      "       mend: mend it",
      "",
      "fail (1 passed, 1 failed, 0 in doubt)",
      "",
    ].join("\n"),
  );
});

test("renderChecks() colours only for a terminal, and doubts when nothing was looked at", () => {
  expect(renderChecks([GOOD], { isTerminal: true })).toContain("\u001b[32m");
  expect(renderChecks([], { isTerminal: false })).toContain("inconclusive");
});

test("renderChecksJson() is one line with the verdict and every check", () => {
  const text = renderChecksJson([GOOD, BAD]);
  expect(text.trimEnd()).not.toContain("\n");
  expect(JSON.parse(text)).toEqual({ verdict: "fail", checks: [GOOD, BAD] });
});
