/**
 * The database's clock as it must be by now, from when it was read last and the time that has
 * passed here since. Never ahead of it, unless it stepped back: a reading is as old as its way here.
 */
export class DatabaseClock {
  readonly #localMs: () => number;
  #readMs: number | undefined;
  #readAtMs = 0;

  /** `localMs` is a clock of this process that never steps back. */
  constructor(localMs: () => number) {
    this.#localMs = localMs;
  }

  /** Takes up a reading that has just arrived; one that took longer than others says nothing new. */
  read(nowMs: number): void {
    const earliestMs = this.earliestMs();
    if (earliestMs !== undefined && earliestMs >= nowMs) return;
    this.#readMs = nowMs;
    this.#readAtMs = this.#localMs();
  }

  /** The time there, or a little earlier; undefined when there is nothing to tell it from. */
  earliestMs(): number | undefined {
    if (this.#readMs === undefined) return undefined;
    return Math.floor(this.#readMs + this.#localMs() - this.#readAtMs);
  }

  /** What was read does not hold any more. */
  forget(): void {
    this.#readMs = undefined;
  }
}
