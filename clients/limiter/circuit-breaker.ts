/** Consecutive failures after which asking again is pointless for a moment. */
const FAILURES_MAX = 5;
/** How often one request may try whether the limiter is back: this bounds the recovery time. */
const PROBE_INTERVAL_MS = 1_000;

/**
 * Stops a caller from queueing behind a limiter that cannot answer. Closed, it lets everything
 * through; after FAILURES_MAX failures in a row it opens and lets one probe through a second. Takes
 * the time as an argument.
 */
export class CircuitBreaker {
  #failures = 0;
  #probedAtMs = 0;

  /** Whether a request may be sent now. While open, each true is the probe of its interval. */
  admits(nowMs: number): boolean {
    if (this.#failures < FAILURES_MAX) return true;
    if (Math.abs(nowMs - this.#probedAtMs) < PROBE_INTERVAL_MS) return false;
    this.#probedAtMs = nowMs;
    return true;
  }

  /** The limiter answered, whatever it said. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** No answer could be had. */
  failed(nowMs: number): void {
    this.#failures++;
    if (this.#failures === FAILURES_MAX) this.#probedAtMs = nowMs;
  }
}
