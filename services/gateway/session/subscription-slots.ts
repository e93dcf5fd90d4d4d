import type { Clock } from "../../runtime/clock.ts";
import { type Grant, isUnexpired } from "../access/grant.ts";
import type { Hub } from "../streams/hub.ts";
import type { Subscriber, Subscription } from "../streams/subscription.ts";
import type { Schedule } from "./schedule.ts";

/** A subscription, or its reservation while it is decided. */
export type Slot = {
  readonly datasource: string;
  subscription: Subscription | undefined;
  cancelExpiry: () => void;
};

/** The subscriptions of one session, each with the timer that ends it. */
export class SubscriptionSlots {
  readonly #subscriber: Subscriber;
  readonly #hub: Hub;
  readonly #clock: Clock;
  readonly #schedule: Schedule;
  readonly #slots = new Map<string, Slot>();

  constructor(subscriber: Subscriber, context: { hub: Hub; clock: Clock; schedule: Schedule }) {
    this.#subscriber = subscriber;
    this.#hub = context.hub;
    this.#clock = context.clock;
    this.#schedule = context.schedule;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Whether any stream runs; reservations do not count. */
  get hasSubscription(): boolean {
    return [...this.#slots.values()].some(({ subscription }) => subscription !== undefined);
  }

  find(datasource: string): Slot | undefined {
    return this.#slots.get(datasource);
  }

  /** Reserves the slot of a datasource, so that it is decided once. */
  reserve(datasource: string): Slot {
    const slot: Slot = { datasource, subscription: undefined, cancelExpiry: () => {} };
    this.#slots.set(datasource, slot);
    return slot;
  }

  /** Whether a slot is still the current one of its datasource. */
  holds(slot: Slot): boolean {
    return this.#slots.get(slot.datasource) === slot;
  }

  /** Starts the stream of a slot at the datasource's present position. */
  start(slot: Slot, grant: Grant): void {
    const { datasource } = slot;
    const subscription: Subscription = {
      datasource,
      subscriber: this.#subscriber,
      grant,
      sentOffset: this.#hub.positionOf(datasource).offset,
      isBehind: false,
    };
    slot.subscription = subscription;
    this.#hub.add(subscription);
    this.#expireOnTime(slot, subscription);
  }

  /** Puts a running stream under a new grant. */
  replaceGrant(slot: Slot, subscription: Subscription, grant: Grant): void {
    this.#hub.replaceGrant(subscription, grant);
    this.#expireOnTime(slot, subscription);
  }

  /** Ends the stream of a datasource, or drops its reservation. */
  release(datasource: string): void {
    const slot = this.#slots.get(datasource);
    this.#slots.delete(datasource);
    slot?.cancelExpiry();
    if (slot?.subscription !== undefined) this.#hub.remove(slot.subscription);
  }

  releaseAll(): void {
    for (const datasource of [...this.#slots.keys()]) this.release(datasource);
  }

  /** Sends the latest update of every stream that fell behind. */
  catchUp(): void {
    for (const { subscription } of [...this.#slots.values()]) {
      if (subscription?.isBehind) this.#hub.catchUp(subscription);
    }
  }

  #expireOnTime(slot: Slot, subscription: Subscription): void {
    slot.cancelExpiry();
    slot.cancelExpiry = () => {};
    const { token } = subscription.grant;
    if (token === undefined) return;
    slot.cancelExpiry = this.#schedule(token.expiresAtMs - this.#clock.nowMs(), () => {
      // Timers can fire early, and long delays are cut.
      const isEarly = isUnexpired(subscription.grant, this.#clock.nowMs());
      if (isEarly) this.#expireOnTime(slot, subscription);
      else this.#subscriber.end(subscription, "token_expired");
    });
  }
}
