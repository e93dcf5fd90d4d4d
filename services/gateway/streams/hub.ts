import type { Clock } from "../../runtime/clock.ts";
import { type Grant, isUnexpired } from "../access/grant.ts";
import { keysOfGrant } from "../access/revocation.ts";
import type { RealtimeEvents } from "../events.ts";
import type { Subscription } from "./subscription.ts";
import { Update } from "./update.ts";

/** Idle streams that keep their position; beyond this, the one idle for longest ends. */
export const IDLE_STREAMS_MAX = 10_000;

/** A position in a stream. */
export type Position = { offset: bigint; epoch: string };

type Stream = {
  readonly epoch: string;
  offset: bigint;
  /** Kept only while there are subscribers, for those that fall behind. */
  latest: Update | undefined;
};

/**
 * Every subscription of this process, and the streams that they follow. Sends each update to each
 * subscriber directly, and checks the grant each time: no update is sent after a token has expired,
 * even if the expiry timer is late.
 */
export class Hub {
  readonly #createEpoch: () => string;
  readonly #clock: Clock;
  readonly #events: RealtimeEvents;
  readonly #streams = new Map<string, Stream>();
  /** The streams without a subscriber; the least recently used one is first. */
  readonly #idle = new Set<string>();
  /** The epoch of streams that open now. A stream that ended never returns under its old epoch. */
  #epoch: string;
  /** Subscriptions by every key that can end them; `datasource …` is the topic. */
  readonly #index = new Map<string, Set<Subscription>>();

  constructor(options: { createEpoch: () => string; clock: Clock; events: RealtimeEvents }) {
    this.#createEpoch = options.createEpoch;
    this.#epoch = options.createEpoch();
    this.#clock = options.clock;
    this.#events = options.events;
  }

  /** The present position of a datasource's stream. */
  positionOf(datasource: string): Position {
    const { offset, epoch } = this.#streams.get(datasource) ?? { offset: 0n, epoch: this.#epoch };
    return { offset, epoch };
  }

  hasSubscribers(datasource: string): boolean {
    return this.#topic(datasource) !== undefined;
  }

  add(subscription: Subscription): void {
    this.#openStream(subscription.datasource);
    this.#idle.delete(subscription.datasource);
    this.#indexUnder(keysOfGrant(subscription.grant), subscription);
    this.#events.subscribed();
  }

  remove(subscription: Subscription): void {
    this.#forgetUnder(keysOfGrant(subscription.grant), subscription);
    this.#events.unsubscribed();
    const { datasource } = subscription;
    const stream = this.#streams.get(datasource);
    if (stream === undefined || this.hasSubscribers(datasource)) return;
    stream.latest = undefined;
    this.#keepIdle(datasource);
  }

  /** Puts a subscription under a new grant, and keeps it subscribed throughout. */
  replaceGrant(subscription: Subscription, grant: Grant): void {
    const before = keysOfGrant(subscription.grant);
    const after = keysOfGrant(grant);
    subscription.grant = grant;
    this.#indexUnder(after, subscription);
    this.#forgetUnder(
      before.filter((key) => !after.includes(key)),
      subscription,
    );
  }

  /** A copy of the subscriptions under an index key; they may be ended during a loop. */
  find(key: string): Subscription[] {
    return [...(this.#index.get(key) ?? [])];
  }

  /** Every subscription. */
  all(): Subscription[] {
    const topics = [...this.#index].filter(([key]) => key.startsWith("datasource "));
    return topics.flatMap(([, subscriptions]) => [...subscriptions]);
  }

  /** Sends an update to every subscriber with a valid grant. */
  publish(datasource: string, jsonText: string): Position {
    const stream = this.#openStream(datasource);
    stream.offset++;
    const position = { offset: stream.offset, epoch: stream.epoch };
    const topic = this.#topic(datasource);
    if (topic === undefined) {
      this.#keepIdle(datasource);
      return position;
    }
    const update = new Update({ datasource, ...position, jsonText });
    stream.latest = update;
    const nowMs = this.#clock.nowMs();
    for (const subscription of topic) this.#deliver(subscription, update, nowMs);
    return position;
  }

  /** Sends the latest update to a subscription that fell behind; the ones between are skipped. */
  catchUp(subscription: Subscription): void {
    const latest = this.#streams.get(subscription.datasource)?.latest;
    if (latest !== undefined) this.#deliver(subscription, latest, this.#clock.nowMs());
  }

  #deliver(subscription: Subscription, update: Update, nowMs: number): void {
    const { subscriber } = subscription;
    if (!isUnexpired(subscription.grant, nowMs)) {
      subscriber.end(subscription, "token_expired");
      return;
    }
    subscription.isBehind = !subscriber.offer(update.encodedBy(subscriber.codec));
    if (subscription.isBehind) return;
    this.#events.delivered(Number(update.offset - subscription.sentOffset - 1n));
    subscription.sentOffset = update.offset;
  }

  #topic(datasource: string): Set<Subscription> | undefined {
    return this.#index.get(`datasource ${datasource}`);
  }

  #openStream(datasource: string): Stream {
    const known = this.#streams.get(datasource);
    if (known !== undefined) return known;
    const stream: Stream = { epoch: this.#epoch, offset: 0n, latest: undefined };
    this.#streams.set(datasource, stream);
    return stream;
  }

  /** Marks a stream as idle from now; when there are too many, ends the one idle for longest. */
  #keepIdle(datasource: string): void {
    this.#idle.delete(datasource);
    this.#idle.add(datasource);
    const [longest] = this.#idle;
    if (this.#idle.size <= IDLE_STREAMS_MAX || longest === undefined) return;
    this.#idle.delete(longest);
    this.#streams.delete(longest);
    this.#epoch = this.#createEpoch();
  }

  #indexUnder(keys: readonly string[], subscription: Subscription): void {
    for (const key of keys) {
      const subscriptions = this.#index.get(key) ?? new Set();
      this.#index.set(key, subscriptions.add(subscription));
    }
  }

  #forgetUnder(keys: readonly string[], subscription: Subscription): void {
    for (const key of keys) {
      const subscriptions = this.#index.get(key);
      subscriptions?.delete(subscription);
      if (subscriptions?.size === 0) this.#index.delete(key);
    }
  }
}
