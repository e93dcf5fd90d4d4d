import type { EnvReader } from "../../services/runtime/env.ts";

/** What a client does without a decision. */
export type FailureConfig =
  | { mode: "fail-closed" }
  /** Outside development it names its change and ends by itself. */
  | { mode: "fail-open"; change: string; untilMs: number };

/** The longest time that limits may fail open under one change. */
const FAIL_OPEN_MS_MAX = 4 * 60 * 60 * 1_000;

/**
 * Reads `<prefix>_FAILURE_MODE` and, for fail-open, `<prefix>_FAIL_OPEN_CHANGE` and
 * `<prefix>_FAIL_OPEN_UNTIL`. An end in the past is valid: the process then runs closed.
 */
export function readFailureConfig(
  env: EnvReader,
  prefix: "SECURITY_LIMITER" | "REALTIME_LIMITER",
  nowMs: number,
): FailureConfig {
  const modes = ["fail-closed", "fail-open"] as const;
  const mode = env.oneOf(`${prefix}_FAILURE_MODE`, modes, "fail-closed");
  const change = env.optional(`${prefix}_FAIL_OPEN_CHANGE`);
  const until = env.optional(`${prefix}_FAIL_OPEN_UNTIL`);
  if (mode === "fail-closed") return { mode };

  if (change === undefined && !env.isDevelopment) {
    env.problem(`${prefix}_FAIL_OPEN_CHANGE`, "is required: fail-open needs a change reference");
  }
  if (until === undefined) {
    if (!env.isDevelopment) {
      env.problem(`${prefix}_FAIL_OPEN_UNTIL`, "is required: fail-open needs an end");
    }
    return { mode, change: change ?? "development", untilMs: Number.POSITIVE_INFINITY };
  }
  const untilMs = parseInstant(until);
  if (untilMs === undefined) {
    env.problem(`${prefix}_FAIL_OPEN_UNTIL`, "must be an instant such as 2030-01-31T18:00:00Z");
  } else if (untilMs - nowMs > FAIL_OPEN_MS_MAX && !env.isDevelopment) {
    env.problem(`${prefix}_FAIL_OPEN_UNTIL`, "must be at most 4 hours ahead");
  }
  return { mode, change: change ?? "development", untilMs: untilMs ?? 0 };
}

/** Reads an RFC 3339 instant. A time without zone is refused: it depends on the machine. */
function parseInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text)) {
    return undefined;
  }
  const instantMs = Date.parse(text);
  return Number.isNaN(instantMs) ? undefined : instantMs;
}
