/** Frames a client may send at once: all subscriptions of a session, several times over. */
export const FRAMES_BURST = 300;
/** Frames a client may send for good; an honest one sends a ping every 25 seconds. */
export const FRAMES_PER_SECOND = 50;

/** How fast something may come: so much at once, and so much for good. */
export type Rate = { readonly burst: number; readonly perSecond: number };

export const FRAMES: Rate = { burst: FRAMES_BURST, perSecond: FRAMES_PER_SECOND };
/**
 * Subscribes and refreshes that others must be asked about, each of several in one frame: all
 * subscriptions of a session twice at once. All the
 * connections of an address together stay far below what one gateway may ask auth.
 */
export const DECISIONS: Rate = { burst: 100, perSecond: 10 };

/** How many frames a session may still send, as of a moment. */
export type FrameBudget = { readonly frames: number; readonly atMs: number };

export function fullFrameBudget(nowMs: number, rate = FRAMES): FrameBudget {
  return { frames: rate.burst, atMs: nowMs };
}

/** Takes from the budget; undefined when it has not enough. A clock that steps back refills nothing. */
export function takeFrame(
  budget: FrameBudget,
  nowMs: number,
  rate = FRAMES,
  count = 1,
): FrameBudget | undefined {
  const elapsedMs = Math.max(0, nowMs - budget.atMs);
  const frames = Math.min(rate.burst, budget.frames + (elapsedMs * rate.perSecond) / 1_000);
  return frames < count ? undefined : { frames: frames - count, atMs: nowMs };
}
