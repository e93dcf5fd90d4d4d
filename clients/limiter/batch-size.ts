/** The most requests that the limiter takes in one batch. */
const BATCH_MAX = 1_000;
/** With four calls in flight, a thousand requests: as many as a cold limiter decides in time. */
const BATCH_FIRST = 250;
/** Smaller batches cost more than they gain. */
const BATCH_MIN = 100;
/** Half of the time that the limiter gives itself for a decision. */
const SLOW_MS = 150;
const FAST_MS = 75;
const GROWTH = 1.25;

/**
 * How many requests one call may carry. The calls in flight should hold no more than the limiter
 * decides in time, since the next request waits behind them. Halves after a slow call, and grows
 * after a fast one.
 */
export class BatchSize {
  #most = BATCH_FIRST;

  get most(): number {
    return this.#most;
  }

  /** Notes how long a call with this many requests took. */
  took(requests: number, ms: number): void {
    if (ms > SLOW_MS && requests > BATCH_MIN) {
      this.#most = Math.max(BATCH_MIN, Math.min(this.#most, Math.ceil(requests / 2)));
    } else if (ms < FAST_MS && requests >= this.#most) {
      this.#most = Math.min(BATCH_MAX, Math.ceil(this.#most * GROWTH));
    }
  }
}
