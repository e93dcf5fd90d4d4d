import type { Clock } from "./clock.ts";
import type { Logger } from "./log.ts";

/** A warning that repeats faster than this says nothing new. */
const WARNING_INTERVAL_MS = 60_000;

export type BoundedWarning = (kind: string, text: string, fields?: object) => void;

/**
 * Logs a warning at most once per kind and interval; the next one says how many were suppressed.
 * Kinds come from closed sets, so memory is bounded.
 */
export function createBoundedWarning(log: Logger, clock: Clock): BoundedWarning {
  const kinds = new Map<string, { loggedAtMs: number; suppressed: number }>();
  return (kind, text, fields = {}) => {
    const nowMs = clock.nowMs();
    const last = kinds.get(kind);
    if (last !== undefined && Math.abs(nowMs - last.loggedAtMs) < WARNING_INTERVAL_MS) {
      last.suppressed++;
      return;
    }
    kinds.set(kind, { loggedAtMs: nowMs, suppressed: 0 });
    log.warn({ ...fields, suppressed: last?.suppressed ?? 0 }, text);
  };
}
