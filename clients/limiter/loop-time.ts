/** A gap between two ticks that is longer than expected by more than this is a stall of ours. */
const STALL_MS_MIN = 30;

/**
 * Time during which the event loop of this process ran. While it stands still no answer can be
 * read, so that silence in that time says nothing about whoever should have answered. Fed with
 * ticks that are expected every `tickMs`; takes the time as an argument.
 */
export class LoopTime {
  readonly #tickMs: number;
  #lastMs = 0;
  #stalledMs = 0;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** Starts to expect ticks: nothing was expected before. */
  start(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  /** Tells that a tick has come; answers whether it came late. */
  tick(nowMs: number): boolean {
    const lateMs = this.#lateMs(nowMs);
    this.#stalledMs += lateMs;
    this.#lastMs = nowMs;
    return lateMs > 0;
  }

  /** Without the stalls until now. */
  read(nowMs: number): number {
    return nowMs - this.#stalledMs - this.#lateMs(nowMs);
  }

  #lateMs(nowMs: number): number {
    const lateMs = nowMs - this.#lastMs - this.#tickMs;
    return lateMs > STALL_MS_MIN ? lateMs : 0;
  }
}
