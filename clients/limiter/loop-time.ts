/** A tick that is late by more than this means that the process stalled. */
const STALL_MS_MIN = 30;

/**
 * Measures the time in which this process's event loop ran. A stalled loop reads no answers, so
 * silence during a stall says nothing about the server. Needs a tick every `tickMs`; takes the time
 * as an argument.
 */
export class LoopTime {
  readonly #tickMs: number;
  #lastMs = 0;
  #stalledMs = 0;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** Starts to expect ticks. */
  start(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  /** Notes a tick; returns whether it was late. */
  tick(nowMs: number): boolean {
    const lateMs = this.#lateMs(nowMs);
    this.#stalledMs += lateMs;
    this.#lastMs = nowMs;
    return lateMs > 0;
  }

  /** The given time without the stalls until then. */
  read(nowMs: number): number {
    return nowMs - this.#stalledMs - this.#lateMs(nowMs);
  }

  #lateMs(nowMs: number): number {
    const lateMs = nowMs - this.#lastMs - this.#tickMs;
    return lateMs > STALL_MS_MIN ? lateMs : 0;
  }
}
