import { KeyCounts } from "../../runtime/key-counts.ts";

/** How many turns may be in flight and waiting, in all and for one key. */
export type TurnBounds = {
  atOnce: number;
  atOncePerKey: number;
  waiting: number;
  waitingPerKey: number;
  /** A request without a turn within this time is refused. */
  waitMs: number;
};

type Turn = { key: string; begin(): void; refuse(): void };

/**
 * Bounds the work in flight, and lets the keys take turns at it: a key with little work waits for
 * at most one turn of each other key, however much work they have.
 */
export class FairTurns {
  readonly #bounds: TurnBounds;
  /** The queue of each key, in the order of the keys' next turns. */
  readonly #queues = new Map<string, Set<Turn>>();
  readonly #inFlight = new KeyCounts();
  #waiting = 0;
  #running = 0;

  constructor(bounds: TurnBounds) {
    this.#bounds = bounds;
  }

  /** Runs work when it is the key's turn; undefined when there was no turn in time. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#takeTurn(key))) return undefined;
    try {
      return await work();
    } finally {
      this.#end(key);
    }
  }

  async #takeTurn(key: string): Promise<boolean> {
    if (this.#waiting === 0 && this.#running < this.#bounds.atOnce && this.#mayRun(key)) {
      this.#begin(key);
      return true;
    }
    const waiting = this.#queues.get(key)?.size ?? 0;
    if (waiting >= this.#bounds.waitingPerKey || !this.#makeRoom(waiting)) return false;
    return await new Promise((resolve) => {
      const settle = (hasTurn: boolean) => {
        clearTimeout(timer);
        this.#leave(turn);
        resolve(hasTurn);
      };
      const turn: Turn = { key, begin: () => settle(true), refuse: () => settle(false) };
      const timer = setTimeout(turn.refuse, this.#bounds.waitMs);
      this.#join(turn);
      this.#next();
    });
  }

  /** Refuses the newest turn of the longest queue, if that is longer than the newcomer's own. */
  #makeRoom(ownWaiting: number): boolean {
    if (this.#waiting < this.#bounds.waiting) return true;
    let longest: Set<Turn> | undefined;
    for (const queue of this.#queues.values()) {
      if (queue.size > (longest?.size ?? ownWaiting + 1)) longest = queue;
    }
    const newest = longest === undefined ? undefined : [...longest].at(-1);
    newest?.refuse();
    return newest !== undefined;
  }

  #join(turn: Turn): void {
    const queue = this.#queues.get(turn.key) ?? new Set();
    this.#queues.set(turn.key, queue.add(turn));
    this.#waiting++;
  }

  #leave(turn: Turn): void {
    const queue = this.#queues.get(turn.key);
    if (queue?.delete(turn)) this.#waiting--;
    if (queue?.size === 0) this.#queues.delete(turn.key);
  }

  #mayRun(key: string): boolean {
    return this.#inFlight.get(key) < this.#bounds.atOncePerKey;
  }

  #begin(key: string): void {
    this.#running++;
    this.#inFlight.add(key, 1);
  }

  #end(key: string): void {
    this.#running--;
    this.#inFlight.add(key, -1);
    this.#next();
  }

  /** Gives free turns to the keys in order; a key that got one goes to the end. */
  #next(): void {
    while (this.#running < this.#bounds.atOnce) {
      const turn = this.#findNext();
      if (turn === undefined) return;
      const queue = this.#queues.get(turn.key);
      this.#begin(turn.key);
      turn.begin();
      if (queue === undefined || queue.size === 0) continue;
      this.#queues.delete(turn.key);
      this.#queues.set(turn.key, queue);
    }
  }

  /** Skips only the few keys that have their full part in flight. */
  #findNext(): Turn | undefined {
    for (const [key, queue] of this.#queues) {
      const [first] = queue;
      if (first !== undefined && this.#mayRun(key)) return first;
    }
    return undefined;
  }
}
