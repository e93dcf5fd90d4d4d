import { LongestFirst } from "./longest-first.ts";

/** A waiting request, and since when it waits. */
export type Waiting<Item> = { item: Item; key: string; sinceMs: number };

/** Twice what one process asks for at its start for one address. */
const KEY_WAITING_MAX = 2_000;
/** Two full batches: the limiter decides one while the other is on the wire. */
const KEY_IN_FLIGHT_MAX = 2_000;

type KeyQueue<Item> = {
  readonly name: string;
  readonly waiting: Waiting<Item>[];
  inFlight: number;
  /** Calls in flight that carry requests of this key. */
  calls: number;
  /** The limiter rejected this key a moment ago, so its requests are shed first. */
  isRejected: boolean;
};

/** The waiting requests of one class of work: the keys take turns, with one request a turn. */
export class ClassQueue<Item> {
  readonly name: string;
  /** The number of waiting requests. */
  waiting = 0;
  readonly #keys = new Map<string, KeyQueue<Item>>();
  /** Keys that may send a request, in the order of their turns. */
  readonly #turns = new Set<KeyQueue<Item>>();
  /** How many of those have no request in flight. */
  #newcomers = 0;
  readonly #rejected = new LongestFirst<KeyQueue<Item>>();
  readonly #others = new LongestFirst<KeyQueue<Item>>();

  constructor(name: string) {
    this.name = name;
  }

  /** Whether a request may be sent now. */
  get isReady(): boolean {
    return this.#turns.size > 0;
  }

  /** Whether a key with no request in flight waits for its turn. */
  get hasNewcomer(): boolean {
    return this.#newcomers > 0;
  }

  /** Appends a request to the queue of its key; false when that queue is full. */
  push(request: Waiting<Item>, isRejected: boolean): boolean {
    const key = this.#keys.get(request.key) ?? newKey<Item>(request.key);
    if (key.waiting.length >= KEY_WAITING_MAX) return false;
    this.#keys.set(key.name, key);
    if (key.isRejected !== isRejected) this.#mark(key, isRejected);
    key.waiting.push(request);
    this.#resized(key, 1);
    this.#queueUp(key);
    return true;
  }

  /** Takes requests for one call, one of each key in turn. */
  take(most: number): Waiting<Item>[] {
    return this.#take(most, () => true);
  }

  /** Takes requests of keys that have none in flight. */
  takeNewcomers(most: number): Waiting<Item>[] {
    return this.#take(most, (key) => key.calls === 0);
  }

  /** Notes that the call with these requests has ended. */
  done(requests: readonly Waiting<Item>[]): void {
    const carried = new Set<KeyQueue<Item>>();
    for (const request of requests) {
      const key = this.#keys.get(request.key);
      if (key === undefined) continue;
      key.inFlight--;
      carried.add(key);
    }
    for (const key of carried) {
      this.#changeCalls(key, -1);
      this.#queueUp(key);
      this.#forgetIdle(key);
    }
  }

  /** Sheds the newest request of the longest queue. Queues of rejected keys go first. */
  shed(): Waiting<Item> | undefined {
    const key = this.#rejected.longest() ?? this.#others.longest();
    const shed = key?.waiting.pop();
    if (key !== undefined && shed !== undefined) this.#removed(key);
    return shed;
  }

  /** Removes the requests that have waited since before this instant. */
  expire(beforeMs: number): Waiting<Item>[] {
    const expired: Waiting<Item>[] = [];
    if (this.waiting === 0) return expired;
    for (const key of this.#keys.values()) {
      while ((key.waiting[0]?.sinceMs ?? Number.POSITIVE_INFINITY) < beforeMs) {
        const first = key.waiting.shift();
        if (first === undefined) break;
        expired.push(first);
        this.#removed(key);
      }
    }
    return expired;
  }

  #take(most: number, isFit: (key: KeyQueue<Item>) => boolean): Waiting<Item>[] {
    const taken: Waiting<Item>[] = [];
    const carried = new Set<KeyQueue<Item>>();
    for (const key of this.#turns) {
      if (taken.length >= most) break;
      if (!isFit(key)) continue;
      this.#leave(key);
      const next = key.waiting.shift();
      if (next === undefined) continue;
      taken.push(next);
      carried.add(key);
      key.inFlight++;
      this.#resized(key, -1);
      // The loop reaches keys that are added while it runs: they form the next round of turns.
      this.#queueUp(key);
    }
    for (const key of carried) this.#changeCalls(key, 1);
    return taken;
  }

  #removed(key: KeyQueue<Item>): void {
    this.#resized(key, -1);
    if (key.waiting.length > 0) return;
    this.#leave(key);
    this.#forgetIdle(key);
  }

  /** Puts a key behind all others that wait for a turn, unless it waits already. */
  #queueUp(key: KeyQueue<Item>): void {
    if (key.waiting.length === 0 || key.inFlight >= KEY_IN_FLIGHT_MAX) return;
    if (this.#turns.has(key)) return;
    this.#turns.add(key);
    if (key.calls === 0) this.#newcomers++;
  }

  #leave(key: KeyQueue<Item>): void {
    if (this.#turns.delete(key) && key.calls === 0) this.#newcomers--;
  }

  #changeCalls(key: KeyQueue<Item>, by: 1 | -1): void {
    const isWaiting = this.#turns.has(key);
    if (isWaiting && key.calls === 0) this.#newcomers--;
    key.calls += by;
    if (isWaiting && key.calls === 0) this.#newcomers++;
  }

  #forgetIdle(key: KeyQueue<Item>): void {
    if (key.inFlight === 0 && key.waiting.length === 0) this.#keys.delete(key.name);
  }

  /** Notes that one request was added to a key's queue, or removed. */
  #resized(key: KeyQueue<Item>, by: 1 | -1): void {
    this.waiting += by;
    const { length } = key.waiting;
    this.#longestOf(key).update(key, length - by, length);
  }

  #mark(key: KeyQueue<Item>, isRejected: boolean): void {
    const { length } = key.waiting;
    this.#longestOf(key).update(key, length, 0);
    key.isRejected = isRejected;
    this.#longestOf(key).update(key, 0, length);
  }

  #longestOf(key: KeyQueue<Item>): LongestFirst<KeyQueue<Item>> {
    return key.isRejected ? this.#rejected : this.#others;
  }
}

function newKey<Item>(name: string): KeyQueue<Item> {
  return { name, waiting: [], inFlight: 0, calls: 0, isRejected: false };
}
