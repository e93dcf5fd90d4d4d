/** Consecutive failures that open the breaker. */
const FAILURES_MAX = 5;
/** How often one request may probe the limiter; bounds the recovery time. */
const PROBE_INTERVAL_MS = 1_000;

const NONE: ReadonlySet<string> = new Set();

/**
 * Stops requests from queueing behind a limiter that cannot answer. Closed, it admits everything;
 * after FAILURES_MAX calls in a row have failed it opens and admits one probe a second. When all
 * failures have a bucket in common, that bucket may be the cause (its row is locked): the breaker
 * then opens only for requests of that bucket. Takes the time as an argument.
 */
export class CircuitBreaker {
  #failures = 0;
  #probedAtMs = 0;
  /** The buckets that all failures had in common. */
  #suspects: ReadonlySet<string> = NONE;

  /** Whether every request is held back, whatever its buckets. */
  get isOpenForAll(): boolean {
    return this.#failures >= FAILURES_MAX && this.#suspects.size === 0;
  }

  /**
   * Whether a request for these buckets may be sent now. While the breaker is open, a true makes it
   * the probe of this interval.
   */
  admits(nowMs: number, buckets: () => readonly string[] = () => []): boolean {
    if (this.#failures < FAILURES_MAX) return true;
    if (this.#suspects.size > 0 && !buckets().some((bucket) => this.#suspects.has(bucket))) {
      return true;
    }
    if (Math.abs(nowMs - this.#probedAtMs) < PROBE_INTERVAL_MS) return false;
    this.#probedAtMs = nowMs;
    return true;
  }

  /** Notes that the limiter answered, whatever the answer. */
  succeeded(): void {
    this.#failures = 0;
    this.#suspects = NONE;
  }

  /** Notes that the limiter did not answer, and which buckets may be the cause. */
  failed(nowMs: number, buckets: readonly string[] = []): void {
    this.#suspects =
      this.#failures === 0
        ? new Set(buckets)
        : new Set(buckets.filter((bucket) => this.#suspects.has(bucket)));
    this.#failures++;
    if (this.#failures === FAILURES_MAX) this.#probedAtMs = nowMs;
  }
}
