import type { BucketState } from "./bucket-state.ts";
import type { Policy } from "./policy.ts";

/** No block. */
export const UNBLOCKED = { blockedUntilMs: 0, blockMs: 0 } as const;

/** The block of a state, for the next one. */
export function blockOf({ blockedUntilMs, blockMs }: BucketState) {
  return { blockedUntilMs, blockMs };
}

/** A block that begins now. */
export function beginBlock({ blockForMs }: Policy, nowMs: number) {
  return { blockedUntilMs: nowMs + blockForMs, blockMs: blockForMs };
}

/**
 * How long a block still lasts: no longer than its policy says now, counted from when it began,
 * and even when the clock stepped back since.
 */
export function blockedForMs(
  { blockForMs }: Policy,
  state: BucketState | undefined,
  nowMs: number,
): number {
  if (state === undefined || state.blockedUntilMs === 0) return 0;
  const { blockedUntilMs, blockMs } = state;
  const cutMs = blockMs === 0 ? 0 : Math.max(0, blockMs - blockForMs);
  return Math.min(Math.max(0, blockedUntilMs - cutMs - nowMs), blockForMs);
}

/** Whether the block began later than now, before the clock stepped back. */
export function isBlockFromFuture(
  { blockForMs }: Policy,
  { blockedUntilMs, blockMs }: BucketState,
  nowMs: number,
): boolean {
  return blockedUntilMs !== 0 && blockedUntilMs - (blockMs || blockForMs) > nowMs;
}
