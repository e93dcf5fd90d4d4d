import { expect, test } from "vitest";
import { createEnvReader } from "../../services/runtime/env.ts";
import { readFailureConfig } from "./failure-config.ts";

const NOW_MS = Date.parse("2030-01-31T12:00:00Z");

test("readFailureConfig() fails closed unless told otherwise", () => {
  expect(read({})).toEqual({ mode: "fail-closed" });
  expect(read({ SECURITY_LIMITER_FAIL_OPEN_CHANGE: "CHG-1" })).toEqual({ mode: "fail-closed" });
});

test("readFailureConfig() opens under a change for at most four hours", () => {
  expect(read(open({ UNTIL: "2030-01-31T16:00:00Z" }))).toEqual({
    mode: "fail-open",
    change: "CHG-1",
    untilMs: NOW_MS + 4 * 3_600_000,
  });
  expect(read(open({ UNTIL: "2030-01-31T11:00:00+00:00" }))).toMatchObject({
    untilMs: NOW_MS - 3_600_000,
  });
});

test("readFailureConfig() refuses an unbounded or unaccounted opening outside development", () => {
  const refused = [
    [open({ UNTIL: "2030-01-31T16:00:01Z" }), /FAIL_OPEN_UNTIL must be at most 4 hours ahead/],
    [open({ UNTIL: undefined }), /FAIL_OPEN_UNTIL is required/],
    [open({ UNTIL: "2030-01-31 13:00" }), /FAIL_OPEN_UNTIL must be an instant/],
    [open({ UNTIL: "2030-02-31T99:00:00Z" }), /FAIL_OPEN_UNTIL must be an instant/],
    [open({ CHANGE: " " }), /FAIL_OPEN_CHANGE is required/],
    [open({ MODE: "open" }), /FAILURE_MODE must be one of fail-closed, fail-open/],
  ] as const;
  for (const [environment, problem] of refused) expect(() => read(environment)).toThrow(problem);
});

test("readFailureConfig() opens without a change in development alone", () => {
  const environment = { NODE_ENV: "test", SECURITY_LIMITER_FAILURE_MODE: "fail-open" };
  expect(read(environment)).toMatchObject({ mode: "fail-open", change: "development" });
});

function open(changes: { MODE?: string; CHANGE?: string; UNTIL?: string | undefined }) {
  return {
    SECURITY_LIMITER_FAILURE_MODE: changes.MODE ?? "fail-open",
    SECURITY_LIMITER_FAIL_OPEN_CHANGE: changes.CHANGE ?? "CHG-1",
    SECURITY_LIMITER_FAIL_OPEN_UNTIL: "UNTIL" in changes ? changes.UNTIL : "2030-01-31T13:00:00Z",
  };
}

function read(environment: Record<string, string | undefined>) {
  const env = createEnvReader(environment);
  const config = readFailureConfig(env, "SECURITY_LIMITER", NOW_MS);
  return env.finish(config);
}
