/** Runs something once, later; the returned function cancels it. */
export type Schedule = (delayMs: number, run: () => void) => () => void;

/** The longest delay a timer of this platform can hold; a longer one would run at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Schedules on the timers of this process. The callback must check the clock: it may be early. */
export const scheduleTimer: Schedule = (delayMs, run) => {
  const timer = setTimeout(run, Math.min(Math.max(0, delayMs), DELAY_MS_MAX));
  return () => clearTimeout(timer);
};
