import { expect, test } from "vitest";
import { JOURNEY_STEPS, type StepResult } from "./journey.ts";
import { judgeJourneys } from "./judge-journeys.ts";

const GOOD: StepResult[] = JOURNEY_STEPS.map((step) => ({ step, kind: "done", tookMs: 5 }));

test("judgeJourneys() passes each step that was always done", () => {
  const checks = judgeJourneys([GOOD, GOOD]);
  expect(checks.map(({ verdict }) => verdict)).toEqual(JOURNEY_STEPS.map(() => "pass"));
  expect(checks[0]?.observed).toBe("2 times, in at most 5 ms");
});

test("judgeJourneys() fails a step that failed once, and doubts those that hang on it", () => {
  const bad: StepResult[] = GOOD.map(({ step }): StepResult => {
    if (step === "login") return { step, kind: "failed", problem: "status 429" };
    return { step, kind: "not-tried" };
  });
  const [login, mint] = judgeJourneys([GOOD, bad]);
  expect(login).toMatchObject({ verdict: "fail", mend: expect.stringContaining("one bucket") });
  expect(mint?.verdict).toBe("inconclusive");
});

test("judgeJourneys() passes nothing when no journey was taken", () => {
  const verdicts = judgeJourneys([]).map(({ verdict }) => verdict);
  expect(new Set(verdicts)).toEqual(new Set(["inconclusive"]));
});
