import { BatchSize } from "./batch-size.ts";
import { ClassQueue, type Waiting } from "./class-queue.ts";
import type { Share } from "./work-class.ts";

/** Requests of one class that are sent in one call. */
export type Batch<Item> = {
  readonly className: string;
  readonly items: readonly Item[];
  readonly requests: readonly Waiting<Item>[];
};

/** Calls in flight for one class. Requests that arrive meanwhile share the next call. */
const CLASS_CALLS_MAX = 4;
/** More calls for keys with no request in flight, so that none waits behind the calls of others. */
const NEWCOMER_CALLS_MAX = 2;
/** Calls in flight for all classes. Beyond it, a class without a call may still send one. */
const CALLS_MAX = 8;
/** The same, including the calls for newcomers. */
const CALLS_WITH_NEWCOMERS_MAX = 12;
/** More requests than the limiter could decide before their deadline. */
const WAITING_MAX = 10_000;
/** One class fills at most half of the queue, so a second one finds room without shedding. */
const CLASS_WAITING_MAX = 5_000;

type Class<Item> = {
  readonly queue: ClassQueue<Item>;
  readonly weight: number;
  readonly size: BatchSize;
  calls: number;
  /** Requests sent, divided by the weight; the class with the least is next. */
  served: number;
};

/**
 * Shares calls between classes of work by weight, and within a class between keys by turns. Over a
 * bound, it sheds from the class and key with the most waiting requests. Knows no clock.
 */
export class FairQueue<Item> {
  readonly #weightOf: (className: string) => number;
  readonly #classes = new Map<string, Class<Item>>();
  #waiting = 0;
  #calls = 0;
  /** The least that a class counts as served when it wakes: idle time earns no credit. */
  #served = 0;

  constructor(weightOf: (className: string) => number) {
    this.#weightOf = weightOf;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Adds a request; returns the request that is shed for it, which may be the same. */
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

  /** Takes the requests of the next call; undefined when none may be sent now. */
  take(): Batch<Item> | undefined {
    const next = this.#leastServed(({ queue, calls }) => {
      if (!queue.isReady) return false;
      return calls === 0 || (this.#calls < CALLS_MAX && calls < CLASS_CALLS_MAX);
    });
    return next && this.#begin(next, next.queue.take(next.size.most));
  }

  /** Takes the requests of an additional call, for keys that have none in flight. */
  takeNewcomers(): Batch<Item> | undefined {
    const next = this.#leastServed(({ queue, calls }) => {
      if (!queue.hasNewcomer || this.#calls >= CALLS_WITH_NEWCOMERS_MAX) return false;
      return calls < CLASS_CALLS_MAX + NEWCOMER_CALLS_MAX;
    });
    return next && this.#begin(next, next.queue.takeNewcomers(next.size.most));
  }

  /** Notes that a call has ended, and how long it took. */
  done({ className, requests }: Batch<Item>, tookMs: number): void {
    const of = this.#classes.get(className);
    if (of === undefined) return;
    this.#calls--;
    of.calls--;
    of.queue.done(requests);
    of.size.took(requests.length, tookMs);
  }

  /** Removes the requests that have waited since before this instant. */
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
