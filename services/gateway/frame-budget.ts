/** Frames a client may send at once: all subscriptions of a session, several times over. */
export const FRAMES_BURST = 300;
/** Frames a client may send for good; an honest one sends a ping every 25 seconds. */
export const FRAMES_PER_SECOND = 50;

/** How many frames a session may still send, as of a moment. */
export type FrameBudget = { readonly frames: number; readonly atMs: number };

export function fullFrameBudget(nowMs: number): FrameBudget {
  return { frames: FRAMES_BURST, atMs: nowMs };
}

/** Takes one frame from the budget; undefined when none is left. A clock that steps back refills nothing. */
export function takeFrame(budget: FrameBudget, nowMs: number): FrameBudget | undefined {
  const elapsedMs = Math.max(0, nowMs - budget.atMs);
  const frames = Math.min(FRAMES_BURST, budget.frames + (elapsedMs * FRAMES_PER_SECOND) / 1_000);
  return frames < 1 ? undefined : { frames: frames - 1, atMs: nowMs };
}
