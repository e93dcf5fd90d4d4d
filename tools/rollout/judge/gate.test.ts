import { expect, test } from "vitest";
import { type Gate, judgeGate, type Measurement } from "./gate.ts";
import { watchlist } from "./watchlist.ts";

const SUBJECT = {
  id: "gate.x",
  title: "x",
  why: "because",
  mend: "mend it",
  unit: "percent",
} as const;
const REQUESTS_MIN = 1_000;

test("judgeGate() passes only with enough samples, and fails with any", () => {
  const gate: Gate = {
    ...SUBJECT,
    rule: { kind: "none" },
    value: () => "",
    samples: () => "",
  };
  const cases: [Partial<Measurement>, string][] = [
    [{ value: 0, samples: 1_000 }, "pass"],
    [{ value: 1e-9, samples: 5_000 }, "pass"],
    [{ value: 0, samples: 999 }, "inconclusive"],
    [{ value: 0 }, "inconclusive"],
    [{ samples: 5_000 }, "inconclusive"],
    [{}, "inconclusive"],
    [{ value: 1, samples: 1 }, "fail"],
    [{ value: 0.01, samples: 1_000 }, "fail"],
  ];
  expectVerdicts(gate, cases);
});

test("judgeGate() takes a share of a few events for chance, in both directions", () => {
  const gate: Gate = {
    ...SUBJECT,
    rule: { kind: "at-most", bound: 0.2 },
    value: () => "",
    samples: () => "",
    samplesShare: 0.1,
  };
  expectVerdicts(gate, [
    [{ value: 0.9, samples: 99 }, "inconclusive"],
    [{ value: 0.1, samples: 99 }, "inconclusive"],
    [{ value: 0.9, samples: 100 }, "fail"],
    [{ value: 0.1, samples: 100 }, "pass"],
  ]);
});

test("judgeGate() compares with the baseline, and does not pass without one", () => {
  const gate: Gate = {
    ...SUBJECT,
    rule: { kind: "at-most", relative: { factor: 1, margin: 0.05 } },
    value: () => "",
  };
  const cases: [Partial<Measurement>, string][] = [
    [{ value: 0.25, baseline: 0.2 }, "pass"],
    [{ value: 0.26, baseline: 0.2 }, "fail"],
    [{ value: 0 }, "inconclusive"],
    [{ baseline: 0.2 }, "inconclusive"],
  ];
  expectVerdicts(gate, cases);
});

test("judgeGate() holds the absolute bound whatever the baseline, and forgives noise within it", () => {
  const gate: Gate = {
    ...SUBJECT,
    rule: { kind: "at-most", bound: 0.2, relative: { factor: 1.2, margin: 0, slack: 0.01 } },
    value: () => "",
    isZeroSuspicious: true,
  };
  const cases: [Partial<Measurement>, string][] = [
    [{ value: 0.21, baseline: 0.9 }, "fail"],
    [{ value: 0.21 }, "fail"],
    [{ value: 0.01 }, "pass"],
    [{ value: 0.01, baseline: 0.0001 }, "pass"],
    [{ value: 0.011, baseline: 0.0001 }, "fail"],
    [{ value: 0.02 }, "inconclusive"],
    [{ value: 0.12, baseline: 0.1 }, "pass"],
    [{ value: 0.13, baseline: 0.1 }, "fail"],
    [{ value: 0, baseline: 0.1 }, "inconclusive"],
    [{ value: 0, baseline: 0 }, "pass"],
  ];
  expectVerdicts(gate, cases);
});

test("judgeGate() knows what must not fall, and what must be one number", () => {
  const atLeast: Gate = {
    ...SUBJECT,
    rule: { kind: "at-least", bound: 0.8, relative: { factor: 1, margin: -0.05, slack: 0.95 } },
    value: () => "",
  };
  expectVerdicts(atLeast, [
    [{ value: 0.95 }, "pass"],
    [{ value: 0.9 }, "inconclusive"],
    [{ value: 0.9, baseline: 0.94 }, "pass"],
    [{ value: 0.88, baseline: 0.94 }, "fail"],
    [{ value: 0.79, baseline: 0.1 }, "fail"],
  ]);
  const exactly: Gate = { ...SUBJECT, rule: { kind: "exactly", value: 3 }, value: () => "" };
  expectVerdicts(exactly, [
    [{ value: 3 }, "pass"],
    [{ value: 2 }, "fail"],
    [{}, "inconclusive"],
  ]);
});

test("watchlist() passes nothing on missing data, and says for each gate why and what to do", () => {
  const gates = watchlist({ hops: 1, topology: "direct" });
  const nothing = { value: undefined, baseline: undefined, samples: undefined };
  const checks = gates.map((gate) => judgeGate(gate, nothing, REQUESTS_MIN).check);
  expect(new Set(checks.map(({ verdict }) => verdict))).toEqual(new Set(["inconclusive"]));
  expect(gates.filter(({ why, mend }) => why === "" || mend === "")).toEqual([]);
  expect(new Set(gates.map(({ id }) => id)).size).toBe(gates.length);
});

test("watchlist() counts entries exactly where the edge overwrites, and the missing where it appends", () => {
  const entries = (hops: number, topology: "direct" | "cdn-append") =>
    watchlist({ hops, topology }).find(({ id }) => id === "gate.client-ip.entries");
  expect(entries(1, "direct")?.value("60s")).toContain("entries_count");
  expect(entries(2, "cdn-append")?.value("60s")).toContain('le=~"1|1[.]0"');
  expect(entries(2, "cdn-append")?.value("60s")).not.toContain("entries_count");
  expect(entries(0, "direct")).toBeUndefined();
});

function expectVerdicts(gate: Gate, cases: readonly [Partial<Measurement>, string][]): void {
  const nothing = { value: undefined, baseline: undefined, samples: undefined };
  for (const [measured, verdict] of cases) {
    const finding = judgeGate(gate, { ...nothing, ...measured }, REQUESTS_MIN);
    expect(finding.check.verdict, JSON.stringify(measured)).toBe(verdict);
  }
}
