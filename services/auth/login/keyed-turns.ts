/** The result when too many wait for the same key: the work did not run. */
export const crowded = Symbol("crowded");

export type TurnBounds = {
  /** Work in flight for one key. */
  atOnceMax: number;
  /** Waiting work for one key. */
  waitingMax: number;
  /** Waiting work for all keys together. */
  waitingTotalMax: number;
  /** The longest wait. */
  waitMsMax: number;
};

type Turn = { running: number; waiting: ((isBegun: boolean) => void)[] };

/** Runs the work of one key a few at a time, in order of arrival. Keys do not delay each other. */
export class KeyedTurns {
  readonly #bounds: TurnBounds;
  /** Only keys with work in flight; the caller bounds their number. */
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

  /** Hands the place over to the next in line, so `running` does not change. */
  #end(key: string, turn: Turn): void {
    const next = turn.waiting.shift();
    if (next === undefined) turn.running--;
    else next(true);
    if (turn.running === 0) this.#turns.delete(key);
  }
}
