/** How often deadlines are looked at: a wait that is bounded in seconds may end so much later. */
const CHECK_MS = 250;

type Entry = { deadlineMs: number; giveUp: () => void };

/** Ends waits that all have the same bound, without a timer for each. */
export class Deadlines {
  readonly #timeoutMs: number;
  /** In the order of their deadlines, since all wait equally long. */
  readonly #entries = new Set<Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Calls `giveUp` once the bound has passed, unless what it answers is called before. */
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
