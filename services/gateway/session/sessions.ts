import { AddressShares } from "../access/address-shares.ts";
import type { RealtimeEvents } from "../events.ts";
import type { ConnectionBounds } from "./connection-bounds.ts";
import type { Session } from "./session.ts";

/** The clients of a stopping gateway return spread over this time, not in one wave. */
const RETURN_SPREAD_MS = 4_000;
/** No client returns before a restart can be over. */
const RETURN_MIN_MS = 1_000;
/** A client without a subscription need not return soon. */
const IDLE_RETRY_AFTER_MS = 30_000;

/** Whether an upgrade may be decided now; if not, whose bound is reached. */
type Reservation = "reserved" | "over-share" | "full";

/** The open sessions, and whether there is room for another one. */
export class Sessions {
  readonly #open = new Set<Session>();
  /** Sessions without a subscription; the one without for longest comes first. */
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

  /** Reserves room for an upgrade while it is decided. */
  reserve(address: string): Reservation {
    if (this.#isDraining) return "full";
    if (this.#open.size + this.#pending.total >= this.#bounds.sessions) return "full";
    const answer = this.#pending.take(address);
    return answer === "taken" ? "reserved" : answer;
  }

  /** Releases the room of an upgrade that has been decided. */
  settle(address: string): void {
    this.#pending.release(address);
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
   * Notes that a session got its first subscription, or lost its last. When too many sessions have
   * none, closes the one that has had none for longest.
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

  /** Admits no further session, and closes all with different times to return. */
  drain(random: () => number): void {
    this.#isDraining = true;
    for (const session of [...this.#open]) {
      session.dismiss("shutdown", RETURN_MIN_MS + Math.floor(random() * RETURN_SPREAD_MS));
    }
  }
}
