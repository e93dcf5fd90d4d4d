import { AddressShares } from "../access/address-shares.ts";
import type { RealtimeEvents } from "../events.ts";
import type { ConnectionBounds } from "./connection-bounds.ts";
import type { Session } from "./session.ts";

/** Clients of a gateway that stops come back spread over this time, not as one wave. */
const RETURN_SPREAD_MS = 4_000;
/** Nobody comes back before a restart can be over. */
const RETURN_MIN_MS = 1_000;
/** A client with nothing to subscribe to has no need to be back soon. */
const IDLE_RETRY_AFTER_MS = 30_000;

/** Whether an upgrade may be decided now, and if not, whose bound it ran into. */
type Reservation = "reserved" | "over-share" | "full";

/** Who is connected, and whether somebody else may be. */
export class Sessions {
  readonly #open = new Set<Session>();
  /** Sessions without a subscription, those that are so for longest first. */
  readonly #unsubscribed = new Set<Session>();
  readonly #bounds: Pick<ConnectionBounds, "sessions" | "unsubscribed">;
  readonly #events: Pick<RealtimeEvents, "shed">;
  readonly #pending: AddressShares;
  #isDraining = false;
  #whenSettled = () => {};

  constructor(
    bounds: Pick<ConnectionBounds, "sessions" | "unsubscribed" | "pending">,
    events: Pick<RealtimeEvents, "shed">,
  ) {
    this.#bounds = bounds;
    this.#events = events;
    this.#pending = new AddressShares(bounds.pending);
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Holds a place for an upgrade that is being decided. */
  reserve(address: string): Reservation {
    if (this.#isDraining) return "full";
    if (this.#open.size + this.#pending.total >= this.#bounds.sessions) return "full";
    const answer = this.#pending.take(address);
    return answer === "taken" ? "reserved" : answer;
  }

  /** Gives a reserved place back: the upgrade has been decided. */
  settle(address: string): void {
    this.#pending.giveBack(address);
    if (this.#pending.total === 0) this.#whenSettled();
  }

  /** Resolves when every upgrade has been decided. Each has a deadline, so this ends. */
  async settled(): Promise<void> {
    if (this.#pending.total === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenSettled = resolve;
    });
  }

  add(session: Session): void {
    this.#open.add(session);
    this.noteUnsubscribed(session, true);
  }

  /**
   * Notes that a session has lost its last subscription, or got its first. Where too many are
   * without one, the one that is so for longest is sent away.
   */
  noteUnsubscribed(session: Session, isUnsubscribed: boolean): void {
    this.#unsubscribed.delete(session);
    if (isUnsubscribed) this.#unsubscribed.add(session);
    const [oldest] = this.#unsubscribed;
    if (this.#unsubscribed.size <= this.#bounds.unsubscribed || oldest === undefined) return;
    this.#events.shed("idle_session");
    oldest.dismiss("idle", IDLE_RETRY_AFTER_MS);
  }

  delete(session: Session): void {
    this.#open.delete(session);
    this.#unsubscribed.delete(session);
  }

  /** Admits nobody any more, and sends everybody away to come back at different times. */
  drain(random: () => number): void {
    this.#isDraining = true;
    for (const session of [...this.#open]) {
      session.dismiss("shutdown", RETURN_MIN_MS + Math.floor(random() * RETURN_SPREAD_MS));
    }
  }
}
