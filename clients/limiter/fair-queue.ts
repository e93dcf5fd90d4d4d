import { BatchSize } from "./batch-size.ts";
import { ClassQueue, type Waiting } from "./class-queue.ts";
import type { Share } from "./work-class.ts";

/** Requests of one class that travel together. */
export type Batch<Item> = {
  readonly className: string;
  readonly items: readonly Item[];
  readonly requests: readonly Waiting<Item>[];
};

/** Calls under way at once for one class; what comes meanwhile travels together in the next one. */
const CLASS_CALLS_MAX = 4;
/** Beyond those, for keys that have nothing under way: nobody waits behind the calls of others. */
const NEWCOMER_CALLS_MAX = 2;
/** Calls under way at once for all classes; beyond it, each class may still have its first. */
const CALLS_MAX = 8;
/** The same with those for newcomers. */
const CALLS_WITH_NEWCOMERS_MAX = 12;
/** More than the limiter could decide before their deadline. */
const WAITING_MAX = 10_000;
/** No class takes more than half of the room, so that a second one finds some without shedding. */
const CLASS_WAITING_MAX = 5_000;

type Class<Item> = {
  readonly queue: ClassQueue<Item>;
  readonly weight: number;
  readonly size: BatchSize;
  calls: number;
  /** How much this class was served, by its weight: the least served one is next. */
  served: number;
};

/**
 * Shares the way to the limiter between classes of work by weight, and within a class between keys
 * by turns. What is over a bound is shed from whoever holds most of what waits. Knows no clock.
 */
export class FairQueue<Item> {
  readonly #weightOf: (className: string) => number;
  readonly #classes = new Map<string, Class<Item>>();
  #waiting = 0;
  #calls = 0;
  /** What a class that was idle counts as served: it saves up nothing for later. */
  #served = 0;

  constructor(weightOf: (className: string) => number) {
    this.#weightOf = weightOf;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Adds a request, and answers what is shed for it: perhaps itself. */
  push(
    item: Item,
    { className, key }: Share,
    sinceMs: number,
    isRejected: boolean,
  ): Item | undefined {
    const into = this.#classes.get(className) ?? this.#open(className);
    if (into.queue.waiting === 0 && into.calls === 0) {
      into.served = Math.max(into.served, this.#served);
    }
    if (!into.queue.push({ item, key, sinceMs }, isRejected)) return item;
    this.#waiting++;
    if (into.queue.waiting > CLASS_WAITING_MAX) return this.#shedFrom(into);
    return this.#waiting > WAITING_MAX ? this.#shedFrom(this.#fullest()) : undefined;
  }

  /** The requests of the next call; undefined when nothing waits that may be sent now. */
  take(): Batch<Item> | undefined {
    const next = this.#leastServed(({ queue, calls }) => {
      if (!queue.isReady) return false;
      return calls === 0 || (this.#calls < CALLS_MAX && calls < CLASS_CALLS_MAX);
    });
    return next && this.#begin(next, next.queue.take(next.size.most));
  }

  /** The requests of a call beyond those of `take`, for keys that have nothing under way. */
  takeNewcomers(): Batch<Item> | undefined {
    const next = this.#leastServed(({ queue, calls }) => {
      if (!queue.hasNewcomer || this.#calls >= CALLS_WITH_NEWCOMERS_MAX) return false;
      return calls < CLASS_CALLS_MAX + NEWCOMER_CALLS_MAX;
    });
    return next && this.#begin(next, next.queue.takeNewcomers(next.size.most));
  }

  /** Tells that a call has ended, and how long it took. */
  done({ className, requests }: Batch<Item>, tookMs: number): void {
    const of = this.#classes.get(className);
    if (of === undefined) return;
    this.#calls--;
    of.calls--;
    of.queue.done(requests);
    of.size.took(requests.length, tookMs);
  }

  /** Removes what has been waiting since before a moment. */
  expire(beforeMs: number): Item[] {
    if (this.#waiting === 0) return [];
    const expired = [...this.#classes.values()].flatMap(({ queue }) => queue.expire(beforeMs));
    this.#waiting -= expired.length;
    return expired.map(({ item }) => item);
  }

  #open(className: string): Class<Item> {
    const opened: Class<Item> = {
      queue: new ClassQueue(className),
      weight: this.#weightOf(className),
      size: new BatchSize(),
      calls: 0,
      served: 0,
    };
    this.#classes.set(className, opened);
    return opened;
  }

  #leastServed(isFit: (candidate: Class<Item>) => boolean): Class<Item> | undefined {
    let least: Class<Item> | undefined;
    for (const candidate of this.#classes.values()) {
      if (least !== undefined && candidate.served >= least.served) continue;
      if (isFit(candidate)) least = candidate;
    }
    return least;
  }

  #begin(next: Class<Item>, requests: readonly Waiting<Item>[]): Batch<Item> {
    this.#waiting -= requests.length;
    this.#calls++;
    next.calls++;
    this.#served = next.served;
    next.served += requests.length / next.weight;
    return { className: next.queue.name, items: requests.map(({ item }) => item), requests };
  }

  #fullest(): Class<Item> | undefined {
    let fullest: Class<Item> | undefined;
    let most = 0;
    for (const candidate of this.#classes.values()) {
      const share = candidate.queue.waiting / candidate.weight;
      if (share <= most) continue;
      most = share;
      fullest = candidate;
    }
    return fullest;
  }

  #shedFrom(victim: Class<Item> | undefined): Item | undefined {
    const shed = victim?.queue.shed();
    if (shed !== undefined) this.#waiting--;
    return shed?.item;
  }
}
