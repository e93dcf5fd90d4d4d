/** How often deadlines are checked. A wait that is bounded in seconds may end this much late. */
const CHECK_MS = 250;

type Entry = { deadlineMs: number; giveUp: () => void };

/** Ends waits that share one timeout, with one timer for all of them. */
export class Deadlines {
  readonly #timeoutMs: number;
  /** In deadline order, since all entries have the same timeout. */
  readonly #entries = new Set<Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Calls `giveUp` after the timeout, unless the returned function is called first. */
  start(giveUp: () => void): () => void {
    const entry = { deadlineMs: performance.now() + this.#timeoutMs, giveUp };
    this.#entries.add(entry);
    this.#timer ??= setInterval(() => this.#check(), CHECK_MS).unref();
    return () => this.#entries.delete(entry);
  }

  #check(): void {
    const nowMs = performance.now();
    for (const entry of this.#entries) {
      if (entry.deadlineMs > nowMs) return;
      this.#entries.delete(entry);
      entry.giveUp();
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
