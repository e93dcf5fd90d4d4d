import { expect, test } from "vitest";
import type { GateFinding } from "./gate.ts";
import { renderWatch } from "./render-watch.ts";

test("renderWatch() shows value, baseline, limit, verdict and the time left, and why one failed", () => {
  const check = { title: "x", observed: "", why: "it matters", mend: "mend it" };
  const findings: GateFinding[] = [
    {
      check: { ...check, id: "gate.good", verdict: "pass" },
      unit: "percent",
      value: 0.0123,
      baseline: 0.01,
      samples: 1234.5,
      limit: "at most 20 %",
    },
    {
      check: { ...check, id: "gate.bad", verdict: "fail" },
      unit: "seconds",
      value: 0.25,
      baseline: undefined,
      samples: undefined,
      limit: "at most 100 ms",
    },
  ];
  expect(renderWatch(findings, { leftMs: 59_001, isTerminal: false })).toBe(
    [
      "      metric     now     baseline  limit           events",
      "ok    gate.good  1.23 %  1 %       at most 20 %    1234  ",
      "FAIL  gate.bad   250 ms  -         at most 100 ms        ",
      "",
      "gate.bad: it matters; mend it",
      "fail, 60 s left",
      "",
    ].join("\n"),
  );
});
