import { FairLane, type LaneBounds, type Waiting } from "./fair-lane.ts";

/** The answer of a queue that has no room: the work was not begun. */
export const overloaded = Symbol("overloaded");

/** Whose work it is: of a client that has proved something, or of anybody. */
export type Lane = "known" | "stranger";

export type Place = {
  lane: Lane;
  /** Who takes turns with the others: an address, an account. */
  share: string;
};

export type QueueBounds = LaneBounds & {
  /** Work under way at once. */
  runningMax: number;
  /** Nothing waits longer; what would is shed. */
  waitMsMax: Readonly<Record<Lane, number>>;
};

/** As often in a row known clients go first; then a stranger has a turn, so that none starves. */
const KNOWN_IN_A_ROW_MAX = 4;

/**
 * Runs work with bounded concurrency. Known clients go first and have waiting room of their own, so
 * that no crowd of strangers delays one of them by more than what is under way. Within a lane each
 * share takes its turn. What has no room is shed at once.
 */
export class FairQueue {
  readonly #bounds: QueueBounds;
  readonly #lanes: Readonly<Record<Lane, FairLane>>;
  #running = 0;
  #knownInARow = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
    this.#lanes = { known: new FairLane(bounds), stranger: new FairLane(bounds) };
  }

  async run<T>(place: Place, work: () => Promise<T>): Promise<T | typeof overloaded> {
    if (!(await this.#begin(place))) return overloaded;
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  async #begin({ lane, share }: Place): Promise<boolean> {
    if (this.#running < this.#bounds.runningMax) {
      this.#running++;
      return true;
    }
    return await new Promise<boolean>((resolve) => {
      const settle = (isBegun: boolean) => {
        clearTimeout(timer);
        resolve(isBegun);
      };
      const waiting: Waiting = { begin: () => settle(true), shed: () => settle(false) };
      const timer = setTimeout(() => {
        this.#lanes[lane].remove(share, waiting);
        waiting.shed();
      }, this.#bounds.waitMsMax[lane]);
      if (!this.#lanes[lane].add(share, waiting)) waiting.shed();
    });
  }

  /** The place of whoever finishes is handed over, so `#running` stays as it is. */
  #end(): void {
    const next = this.#next();
    if (next === undefined) this.#running--;
    else next.begin();
  }

  #next(): Waiting | undefined {
    const { known, stranger } = this.#lanes;
    const isStrangersTurn = this.#knownInARow >= KNOWN_IN_A_ROW_MAX && stranger.size > 0;
    const next = isStrangersTurn ? undefined : known.take();
    this.#knownInARow = next === undefined ? 0 : this.#knownInARow + 1;
    return next ?? stranger.take();
  }
}
