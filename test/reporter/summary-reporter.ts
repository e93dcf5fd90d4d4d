import { writeSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";
import { countResults, type Results, resultsText } from "./count-results.ts";

/**
 * Ends the output with one plain line: `N passed, N failed`, and `, N skipped` if any were.
 * Whatever could not run counts as failed: a file that does not import, a hook that throws, an
 * error outside any test, a run without tests. Any failure fails the run.
 */
export class SummaryReporter implements Reporter {
  #results: Results = { passed: 0, failed: 1, skipped: 0 };

  onInit(): void {
    // Runs last in the process, after the summaries of other reporters.
    process.once("exit", () => {
      if (this.#results.failed > 0) process.exitCode ||= 1;
      writeSync(process.stdout.fd, `${resultsText(this.#results)}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#results = countResults(modules, unhandledErrors.length);
    if (modules.length === 0) this.#results.failed += 1;
  }
}
