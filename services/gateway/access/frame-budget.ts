/** Frames that a client may send at once: all subscriptions of a session, several times. */
export const FRAMES_BURST = 300;
/** The lasting rate of frames; an honest client sends a ping every 25 seconds. */
export const FRAMES_PER_SECOND = 50;

/** A rate limit: a burst, and a lasting rate. */
export type Rate = { readonly burst: number; readonly perSecond: number };

export const FRAMES: Rate = { burst: FRAMES_BURST, perSecond: FRAMES_PER_SECOND };
/**
 * Subscribes and refreshes for which auth or the limiter is asked; each of several in one frame
 * counts. The burst is all subscriptions of a session, twice. All connections of an address
 * together stay far below what one gateway may ask auth.
 */
export const DECISIONS: Rate = { burst: 100, perSecond: 10 };

/** How many frames a session may still send, at an instant. */
export type FrameBudget = { readonly frames: number; readonly atMs: number };

export function fullFrameBudget(nowMs: number, rate = FRAMES): FrameBudget {
  return { frames: rate.burst, atMs: nowMs };
}

/** Takes from a budget; undefined when too little is left. No refill when the clock steps back. */
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
