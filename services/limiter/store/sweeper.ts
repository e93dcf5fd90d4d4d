import { type Store, SweepError } from "./store.ts";

const SWEEP_INTERVAL_MS = 500;
/** A piece that deleted this much is likely followed by more of the same. */
const BUSY_ROWS = 500;
/** Pieces in one go: together they delete more than attackers can have created in the meantime. */
const PIECES_MAX = 20;

export type Sweeper = { stop(): Promise<void> };

/** Has expired rows deleted, a few at a time, for as long as it runs. */
export function startSweeper(store: Store, onFailure: (error: unknown) => void): Sweeper {
  let current: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    current ??= sweepPieces(store, onFailure)
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

async function sweepPieces(store: Store, onFailure: (error: unknown) => void): Promise<void> {
  for (let piece = 0; piece < PIECES_MAX; piece++) {
    if ((await sweepPiece(store, onFailure)) < BUSY_ROWS) return;
  }
}

/** A table that fails every time slows none of the others down. */
async function sweepPiece(store: Store, onFailure: (error: unknown) => void): Promise<number> {
  try {
    return await store.sweep();
  } catch (error) {
    if (!(error instanceof SweepError)) throw error;
    onFailure(error.cause);
    return error.deleted;
  }
}
