import type { Session } from "./session.ts";

/** Connections one process holds; each takes a few kilobytes idle and 300 when it reads slowly. */
const SESSIONS_MAX = 50_000;
/** Upgrades that wait for the limiter at once; more would outlive its deadline anyway. */
const UPGRADES_PENDING_MAX = 2_000;
/** Clients of a gateway that stops come back spread over this time, not as one wave. */
const RETURN_SPREAD_MS = 4_000;
/** Nobody comes back before a restart can be over. */
const RETURN_MIN_MS = 1_000;

/** Who is connected, and whether somebody else may be. */
export class Sessions {
  readonly #open = new Set<Session>();
  #pending = 0;
  #isDraining = false;
  #whenSettled = () => {};

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Holds a place for an upgrade that is being decided; false when there is none. */
  reserve(): boolean {
    const isFull = this.#open.size + this.#pending >= SESSIONS_MAX;
    if (this.#isDraining || isFull || this.#pending >= UPGRADES_PENDING_MAX) return false;
    this.#pending++;
    return true;
  }

  /** Gives a reserved place back: the upgrade has been decided. */
  settle(): void {
    this.#pending--;
    if (this.#pending === 0) this.#whenSettled();
  }

  /** Resolves when every upgrade has been decided. Each has a deadline, so this ends. */
  async settled(): Promise<void> {
    if (this.#pending === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenSettled = resolve;
    });
  }

  add(session: Session): void {
    this.#open.add(session);
  }

  delete(session: Session): void {
    this.#open.delete(session);
  }

  /** Admits nobody any more, and sends everybody away to come back at different times. */
  drain(random: () => number): void {
    this.#isDraining = true;
    for (const session of [...this.#open]) {
      session.dismiss("shutdown", RETURN_MIN_MS + Math.floor(random() * RETURN_SPREAD_MS));
    }
  }
}
