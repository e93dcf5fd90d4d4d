import { overloaded } from "./no-decision.ts";

/** Runs calls with bounded concurrency, in order of arrival. */
export type BoundedLane = {
  /** Rejects as overloaded when too many calls wait already, or this one waits too long. */
  run<T>(call: () => Promise<T>): Promise<T>;
};

type Waiter = { begin(): void };

export function createBoundedLane(bounds: {
  /** Calls in flight. */
  callsMax: number;
  waitingMax: number;
  waitMsMax: number;
}): BoundedLane {
  let calls = 0;
  const waiting = new Set<Waiter>();

  const turn = () =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(waiter);
        reject(overloaded("the call waited too long for its turn"));
      }, bounds.waitMsMax);
      const waiter: Waiter = {
        begin() {
          waiting.delete(waiter);
          clearTimeout(timer);
          resolve();
        },
      };
      waiting.add(waiter);
    });
  const end = () => {
    const [next] = waiting;
    // The next call takes over the slot of the one that ended, so `calls` does not change.
    if (next === undefined) calls--;
    else next.begin();
  };

  return {
    async run(call) {
      if (calls < bounds.callsMax) calls++;
      else if (waiting.size < bounds.waitingMax) await turn();
      else throw overloaded("too many calls wait for the limiter");
      try {
        return await call();
      } finally {
        end();
      }
    },
  };
}
