import type { TestCase, TestModule, TestSuite } from "vitest/node";

export type Results = { passed: number; failed: number; skipped: number };

/** Counts the tests of a run. A test that was to run and could not counts as failed. */
export function countResults(modules: readonly TestModule[], unhandledErrors: number): Results {
  const results = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) add(results, countSuite(module, { isBroken: false }));
  return results;
}

/**
 * In a suite whose hook failed, and in a file that did not import, vitest reports tests as skipped
 * or not at all. Both count as failed here.
 */
function countSuite(suite: TestModule | TestSuite, parent: { isBroken: boolean }): Results {
  const results = { passed: 0, failed: 0, skipped: 0 };
  const hasErrors = suite.errors().length > 0;
  const isBroken = parent.isBroken || hasErrors;
  for (const child of suite.children) {
    if (child.type === "suite") add(results, countSuite(child, { isBroken }));
    else results[outcomeOf(child, isBroken)] += 1;
  }
  const isEmptyFile = suite.type === "module" && results.passed + results.skipped === 0;
  if ((hasErrors || isEmptyFile) && results.failed === 0) results.failed = 1;
  return results;
}

function outcomeOf(test: TestCase, isBroken: boolean): keyof Results {
  const { state } = test.result();
  if (state === "passed") return "passed";
  return state === "skipped" && !isBroken ? "skipped" : "failed";
}

function add(sum: Results, results: Results): void {
  sum.passed += results.passed;
  sum.failed += results.failed;
  sum.skipped += results.skipped;
}

/** The line that ends a run's output, for people and for machines. */
export function resultsText({ passed, failed, skipped }: Results): string {
  const text = `${passed} passed, ${failed} failed`;
  return skipped > 0 ? `${text}, ${skipped} skipped` : text;
}
