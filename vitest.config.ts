import { defineConfig } from "vitest/config";
import { SummaryReporter } from "./test/reporter/summary-reporter.ts";

/** Tests that start processes need more time than the default on a busy machine. */
const PROCESS_TEST_TIMEOUT_MS = 60_000;

/** Tests with a port, a process or a database. */
function project(name: string, include: string[], options: { isAlone: boolean }) {
  return {
    test: {
      name,
      include,
      globalSetup: ["test/fixtures/global-setup.ts"],
      testTimeout: PROCESS_TEST_TIMEOUT_MS,
      hookTimeout: PROCESS_TEST_TIMEOUT_MS,
      // Where times are measured and processes are killed, one file runs at a time.
      fileParallelism: !options.isAlone,
    },
  };
}

export default defineConfig({
  test: {
    reporters: ["default", new SummaryReporter()],
    maxWorkers: 2,
    projects: [
      { test: { name: "unit", include: ["{services,clients,tools,test/reporter}/**/*.test.ts"] } },
      project("limiter", ["test/limiter/**/*.test.ts"], { isAlone: true }),
      project("api", ["test/auth/**/*.test.ts"], { isAlone: true }),
      project("gateway", ["test/gateway/**/*.test.ts"], { isAlone: true }),
      project("edge", ["test/edge/**/*.test.ts"], { isAlone: true }),
      project("system", ["test/{system,fixtures}/**/*.test.ts"], { isAlone: true }),
      project("api-smoke", ["test/smoke/api.test.ts"], { isAlone: true }),
      project("e2e-smoke", ["test/smoke/e2e.test.ts"], { isAlone: true }),
    ],
  },
});
