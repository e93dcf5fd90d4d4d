import { expect, test } from "vitest";
import { runChaos } from "../chaos/limiter-chaos.ts";

/** The shorter one; `npm run test:chaos` runs a million. */
const DECISIONS = 60_000;
const TIMEOUT_MS = 120_000;

test("replicas admit no more than the policies say, whatever crashes, hangs or starts cold", {
  timeout: TIMEOUT_MS,
}, async () => {
  const report = await runChaos({ decisions: DECISIONS, calmMs: { min: 300, max: 1_200 } });
  expect(report.violations).toEqual([]);
  expect(report.missing).toEqual([]);
  expect(report.allowed).toBeGreaterThan(1_000);
});
