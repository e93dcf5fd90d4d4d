import { UNBLOCKED } from "./block.ts";
import type { FixedWindowState, View } from "./bucket-state.ts";
import type { Lineage } from "./lineage.ts";
import type { Mark } from "./mark.ts";
import type { FixedWindowPolicy } from "./policy.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The aligned window around an instant. */
export function windowAround(
  period: FixedWindowPolicy["period"],
  nowMs: number,
): { startMs: number; endMs: number } {
  if (period === "month") {
    const now = new Date(nowMs);
    const year = now.getUTCFullYear();
    const month = now.getUTCMonth();
    return { startMs: Date.UTC(year, month, 1), endMs: Date.UTC(year, month + 1, 1) };
  }
  const periodMs = period === "hour" ? HOUR_MS : period === "day" ? DAY_MS : period;
  const startMs = nowMs - (nowMs % periodMs);
  return { startMs, endMs: startMs + periodMs };
}

/**
 * What counts in the window of now. A count from a later window, seen after the clock stepped
 * back, counts in this one, so that the bucket is locked for no longer than this window lasts.
 */
function countAt(state: FixedWindowState | undefined, startMs: number): number {
  return state === undefined || state.startMs < startMs ? 0 : state.count;
}

/** What the bucket says about taking `cost` now. */
export function lookAtFixedWindow(
  policy: FixedWindowPolicy,
  state: FixedWindowState | undefined,
  nowMs: number,
  cost: number,
): View {
  const { startMs, endMs } = windowAround(policy.period, nowMs);
  const count = countAt(state, startMs);
  const allowed = count + cost <= policy.limit;
  return {
    allowed,
    remaining: Math.max(0, policy.limit - count),
    retryAfterMs: allowed ? 0 : endMs - nowMs,
    resetAfterMs: count === 0 ? 0 : endMs - nowMs,
  };
}

/** The bucket after `cost` more. */
export function chargeFixedWindow(
  policy: FixedWindowPolicy,
  state: FixedWindowState | undefined,
  nowMs: number,
  cost: number,
  newLineage: Lineage,
): FixedWindowState {
  const { startMs } = windowAround(policy.period, nowMs);
  const isOver = state !== undefined && state.startMs < startMs;
  return {
    kind: "fixed_window",
    startMs,
    count: countAt(state, startMs) + cost,
    position: (state?.position ?? 0) + Number(isOver),
    lineage: state?.lineage || newLineage,
    ...UNBLOCKED,
  };
}

/** The bucket after giving back a charge that its count holds; undefined for an earlier one's. */
export function refundFixedWindow(
  policy: FixedWindowPolicy,
  state: FixedWindowState,
  nowMs: number,
  { cost, mark }: { cost: number; mark: Mark },
): FixedWindowState | undefined {
  const { startMs } = windowAround(policy.period, nowMs);
  const count = countAt(state, startMs);
  if (mark.at !== state.position || count === 0) return undefined;
  // The window stays, also where the clock stepped back: what else counts in it must not be lost.
  return { ...state, count: Math.max(0, count - cost) };
}
