import { expect, test } from "vitest";
import type { Check } from "../terms/verdict.ts";
import { renderChecks, renderChecksJson } from "./report.ts";

const PLAIN = { isTerminal: false };
const GOOD: Check = {
  id: "a.good",
  title: "Good",
  verdict: "pass",
  observed: "as it should be",
  why: "because",
  mend: "",
};
const BAD: Check = { ...GOOD, id: "a.bad.one", title: "Bad", verdict: "fail", mend: "mend it" };
const WARNING: Check = { ...GOOD, id: "a.warning", severity: "warning", mend: "set it" };

test("renderChecks() tells failures first, and only counts what passed beside them", () => {
  expect(renderChecks([GOOD, BAD], PLAIN)).toBe(
    [
      "FAIL   a.bad.one  Bad: as it should be",
      "       why:  because",
      "       mend: mend it",
      "PASS   1 passed (--verbose: which)",
      "",
      "fail (1 passed, 1 failed, 0 in doubt)",
      "",
    ].join("\n"),
  );
});

test("renderChecks() folds doubts under a failure into one line, which --verbose opens", () => {
  const doubts = Array.from({ length: 12 }, (_, index) => doubt(`gate.${index}`, `no ${index}`));
  const lines = renderChecks([...doubts, BAD], PLAIN).split("\n");
  expect(lines[0]).toContain("FAIL");
  const folded = lines.filter((line) => line.startsWith("DOUBT"));
  expect(folded).toEqual([
    "DOUBT  12 in doubt: gate.0, gate.1, gate.2, gate.3, gate.4, gate.5 and 6 more (--verbose: why)",
  ]);
  const opened = renderChecks([...doubts, BAD], { ...PLAIN, isVerbose: true });
  expect(opened.match(/^DOUBT/gm)).toHaveLength(12);
  expect(opened).toContain("mend: wait for gate.11");
  expect(opened.startsWith("FAIL")).toBe(true);
});

test("renderChecks() never folds away why nothing was measured", () => {
  const silence = doubt("gate.prometheus", "Prometheus does not answer at http://10.0.0.20:9090");
  const text = renderChecks([doubt("x", "unknown"), silence, BAD], PLAIN);
  expect(text.split("\n").filter((line) => line.startsWith("DOUBT"))).toEqual([
    "DOUBT  gate.prometheus  Doubtful: Prometheus does not answer at http://10.0.0.20:9090",
    "DOUBT  1 in doubt: x (--verbose: why)",
  ]);
});

test("renderChecks() tells one cause once, with everything that it keeps from being known", () => {
  const because = { because: "services.answer" };
  const text = renderChecks(
    [
      { ...doubt("hops.aligned", "auth unknown"), ...because },
      doubt("services.answer", "auth: connect ECONNREFUSED"),
      { ...doubt("edge.header.auth", "the edge answered 502"), ...because },
      { ...doubt("x.one", "no data"), mend: "wait" },
      { ...doubt("x.two", "no data"), mend: "wait" },
      GOOD,
    ],
    PLAIN,
  );
  expect(text).toBe(
    [
      "DOUBT  services.answer  Doubtful: auth: connect ECONNREFUSED",
      "       why:  because",
      "       mend: wait for services.answer",
      "       also: hops.aligned, edge.header.auth for this reason",
      "DOUBT  x.one            Doubtful: no data",
      "       why:  because",
      "       mend: wait",
      "       also: x.two for this reason",
      "PASS   a.good           Good: as it should be",
      "",
      "inconclusive (1 passed, 0 failed, 5 in doubt)",
      "",
    ].join("\n"),
  );
});

test("renderChecks() shows warnings with what to do, and passes all the same", () => {
  const text = renderChecks([GOOD, WARNING], PLAIN);
  expect(text).toMatch(/^WARN {3}a\.warning {2}Good: .*\n {7}why: {2}because\n {7}mend: set it\n/);
  expect(text).toContain("pass (2 passed, 0 failed, 0 in doubt, 1 warning)");
});

test("renderChecks() colours only for a terminal, and doubts when nothing was looked at", () => {
  expect(renderChecks([GOOD], { isTerminal: true })).toContain("\u001b[32m");
  expect(renderChecks([], PLAIN)).toContain("inconclusive");
});

test("renderChecksJson() is one line with the verdict and every check", () => {
  const text = renderChecksJson([GOOD, BAD]);
  expect(text.trimEnd()).not.toContain("\n");
  expect(JSON.parse(text)).toEqual({ verdict: "fail", checks: [GOOD, BAD] });
});

function doubt(id: string, observed: string): Check {
  const mend = `wait for ${id}`;
  return { ...GOOD, id, title: "Doubtful", verdict: "inconclusive", observed, mend };
}
