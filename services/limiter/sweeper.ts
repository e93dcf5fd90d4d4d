import type { Store } from "./store.ts";

/** Often enough to delete more than can be created, in pieces that nobody notices. */
const SWEEP_INTERVAL_MS = 500;

export type Sweeper = { stop(): Promise<void> };

/** Has expired rows deleted, a few at a time, for as long as it runs. */
export function startSweeper(store: Store, onFailure: (error: unknown) => void): Sweeper {
  let current: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    current ??= store
      .sweep()
      .catch(onFailure)
      .finally(() => {
        current = undefined;
      });
  }, SWEEP_INTERVAL_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await current;
    },
  };
}
