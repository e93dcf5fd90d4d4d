/** The source of time. Pure functions take `nowMs`; objects with a lifetime take a Clock. */
export type Clock = {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
};

/** The clock of this machine. */
export const systemClock: Clock = { nowMs: () => Date.now() };

/** A clock that only `advance()` moves, forwards or backwards. */
export function createManualClock(startMs: number): Clock & { advance(byMs: number): void } {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    advance: (byMs) => {
      nowMs += byMs;
    },
  };
}
