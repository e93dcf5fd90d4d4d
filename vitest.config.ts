import { defineConfig } from "vitest/config";
import { SummaryReporter } from "./test/reporter/summary-reporter.ts";

/** Tests that start processes need more time than the default on a busy machine. */
const PROCESS_TEST_TIMEOUT_MS = 60_000;

/**
 * Tests with a port, a process or a database. They measure times and kill processes, so one file
 * runs at a time, after the unit tests.
 */
function project(name: string, include: string[], env: Readonly<Record<string, string>> = {}) {
  return {
    test: {
      name,
      include,
      env,
      globalSetup: ["test/fixtures/global-setup.ts"],
      testTimeout: PROCESS_TEST_TIMEOUT_MS,
      hookTimeout: PROCESS_TEST_TIMEOUT_MS,
      fileParallelism: false,
      sequence: { groupOrder: 1 },
    },
  };
}

export default defineConfig({
  test: {
    reporters: ["default", new SummaryReporter()],
    projects: [
      {
        test: {
          name: "unit",
          include: ["{services,clients,tools}/**/*.test.ts"],
          sequence: { groupOrder: 0 },
        },
      },
      project("runtime", ["test/{runtime,clients,reporter,fixtures}/**/*.test.ts"]),
      project("limiter", ["test/limiter/**/*.test.ts"]),
      project("api", ["test/auth/**/*.test.ts"]),
      project("gateway", ["test/gateway/**/*.test.ts"]),
      project("gateway-ws", ["test/gateway/**/*.test.ts"], { GATEWAY_ENGINE: "ws" }),
      project("observability", ["test/observability/**/*.test.ts"]),
      project("edge", ["test/edge/**/*.test.ts"]),
      project("system", ["test/system/**/*.test.ts"]),
      project("siege", ["test/siege/**/*.test.ts"]),
      project("rollout", ["test/{rollout,rollout-judge}/**/*.test.ts"]),
      project("ui", ["test/ui/**/*.test.ts"]),
      project("api-smoke", ["test/smoke/api.test.ts"]),
      project("e2e-smoke", ["test/smoke/e2e.test.ts"]),
    ],
  },
});
