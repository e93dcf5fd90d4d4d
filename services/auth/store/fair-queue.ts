import { FairLane, type LaneBounds, type Waiting } from "./fair-lane.ts";

/** The result when the queue is full: the work did not run. */
export const overloaded = Symbol("overloaded");

/** Known clients have proved something; anybody can be a stranger. */
export type Lane = "known" | "stranger";

export type Place = {
  lane: Lane;
  /** The shares take turns: an address, an account. */
  share: string;
};

export type QueueBounds = LaneBounds & {
  /** Work in flight. */
  runningMax: number;
  /** Work that waits longer is shed. */
  waitMsMax: Readonly<Record<Lane, number>>;
};

/**
 * After so many turns of known clients in a row a stranger has one, so that strangers do not
 * starve.
 */
const KNOWN_IN_A_ROW_MAX = 4;

/**
 * Runs work with bounded concurrency. Known clients go first and have waiting room of their own, so
 * that a crowd of strangers delays them only by the work in flight. Within a lane the shares take
 * turns. Work that finds no room is shed at once.
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

  /** Hands the place over to the next in line, so `#running` does not change. */
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
