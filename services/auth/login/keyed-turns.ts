/** The answer when too many wait for the same turn: the work was not begun. */
export const crowded = Symbol("crowded");

export type TurnBounds = {
  /** Work under way at once for one key. */
  atOnceMax: number;
  /** Work that waits for one key. */
  waitingMax: number;
  /** Work that waits, for all keys together. */
  waitingTotalMax: number;
  /** Nothing waits longer. */
  waitMsMax: number;
};

type Turn = { running: number; waiting: ((isBegun: boolean) => void)[] };

/** Runs work of the same key a few at a time, in order of arrival; other keys notice nothing. */
export class KeyedTurns {
  readonly #bounds: TurnBounds;
  /** Only keys with work under way, which whoever calls bounds. */
  readonly #turns = new Map<string, Turn>();
  #waiting = 0;

  constructor(bounds: TurnBounds) {
    this.#bounds = bounds;
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T | typeof crowded> {
    const turn = this.#turns.get(key) ?? { running: 0, waiting: [] };
    this.#turns.set(key, turn);
    if (!(await this.#begin(turn))) return crowded;
    try {
      return await work();
    } finally {
      this.#end(key, turn);
    }
  }

  async #begin(turn: Turn): Promise<boolean> {
    const { atOnceMax, waitingMax, waitingTotalMax, waitMsMax } = this.#bounds;
    if (turn.running < atOnceMax) {
      turn.running++;
      return true;
    }
    if (turn.waiting.length >= waitingMax || this.#waiting >= waitingTotalMax) return false;
    this.#waiting++;
    return await new Promise<boolean>((resolve) => {
      const settle = (isBegun: boolean) => {
        this.#waiting--;
        clearTimeout(timer);
        resolve(isBegun);
      };
      const timer = setTimeout(() => {
        turn.waiting.splice(turn.waiting.indexOf(settle), 1);
        settle(false);
      }, waitMsMax);
      turn.waiting.push(settle);
    });
  }

  /** The place of whoever finishes is handed over, so `running` stays as it is. */
  #end(key: string, turn: Turn): void {
    const next = turn.waiting.shift();
    if (next === undefined) turn.running--;
    else next(true);
    if (turn.running === 0) this.#turns.delete(key);
  }
}
