/** The answer of a queue that has no room: the work was not begun. */
export const overloaded = Symbol("overloaded");

/** Runs work with bounded concurrency, in order of arrival; refuses what would wait too long. */
export type BoundedQueue = {
  run<T>(work: () => Promise<T>): Promise<T | typeof overloaded>;
};

export function createBoundedQueue(bounds: {
  concurrencyMax: number;
  waitingMax: number;
}): BoundedQueue {
  let running = 0;
  const waiting: (() => void)[] = [];

  const begin = async () => {
    if (running < bounds.concurrencyMax) running++;
    // The place of whoever finishes is handed over, so `running` stays as it is.
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const end = () => {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  };

  return {
    async run(work) {
      if (running >= bounds.concurrencyMax && waiting.length >= bounds.waitingMax) {
        return overloaded;
      }
      await begin();
      try {
        return await work();
      } finally {
        end();
      }
    },
  };
}
