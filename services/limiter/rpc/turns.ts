/** Runs tasks one in each turn of the event loop, in the order in which they came. */
export type Turns = { take(): Promise<void> };

/**
 * Lets answers to the database, deadlines and other requests in between pieces of work of which
 * each is large: together they would hold all of those up.
 */
export function createTurns(): Turns {
  const waiting: Array<() => void> = [];
  const runNext = () => {
    waiting.shift()?.();
    if (waiting.length > 0) setImmediate(runNext);
  };
  return {
    take: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 1) setImmediate(runNext);
      }),
  };
}
