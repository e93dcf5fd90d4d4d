/** As many requests as the limiter takes in one batch. */
const BATCH_MAX = 1_000;
/** What a cold process and a cold limiter do in time: with four calls, a thousand requests. */
const BATCH_FIRST = 250;
/** Smaller ones cost more than they gain. */
const BATCH_MIN = 100;
/** Half of the time that the limiter gives itself for a decision. */
const SLOW_MS = 150;
const FAST_MS = 75;
const GROWTH = 1.25;

/**
 * How many requests one call may carry, so that what is under way is never more than the limiter
 * decides in time: whoever comes next would have to wait behind it. Halves after a slow call, and
 * grows again with fast ones.
 */
export class BatchSize {
  #most = BATCH_FIRST;

  get most(): number {
    return this.#most;
  }

  /** Tells how long a call with so many requests took. */
  took(requests: number, ms: number): void {
    if (ms > SLOW_MS && requests > BATCH_MIN) {
      this.#most = Math.max(BATCH_MIN, Math.min(this.#most, Math.ceil(requests / 2)));
    } else if (ms < FAST_MS && requests >= this.#most) {
      this.#most = Math.min(BATCH_MAX, Math.ceil(this.#most * GROWTH));
    }
  }
}
