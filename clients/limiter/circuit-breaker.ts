/** Consecutive failures after which asking again is pointless for a moment. */
const FAILURES_MAX = 5;
/** How often one request may try whether the limiter is back: this bounds the recovery time. */
const PROBE_INTERVAL_MS = 1_000;

const NONE: ReadonlySet<string> = new Set();

/**
 * Stops a caller from queueing behind a limiter that cannot answer. Closed, it lets everything
 * through; after FAILURES_MAX calls in a row that failed it opens and lets one probe through a
 * second. Where all failures have a bucket in common, the fault may lie with that bucket (its row
 * is locked): then it opens only for requests of that bucket. Takes the time as an argument.
 */
export class CircuitBreaker {
  #failures = 0;
  #probedAtMs = 0;
  /** The buckets that all failures had in common; none when the fault lies with no bucket. */
  #suspects: ReadonlySet<string> = NONE;

  /** Whether nothing can be decided for anybody. */
  get isOpenForAll(): boolean {
    return this.#failures >= FAILURES_MAX && this.#suspects.size === 0;
  }

  /**
   * Whether a request for these buckets may be sent now. While open, each true is the probe of its
   * interval.
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

  /** The limiter answered, whatever it said. */
  succeeded(): void {
    this.#failures = 0;
    this.#suspects = NONE;
  }

  /** No answer could be had; with the buckets that may be the reason, if any. */
  failed(nowMs: number, buckets: readonly string[] = []): void {
    this.#suspects =
      this.#failures === 0
        ? new Set(buckets)
        : new Set(buckets.filter((bucket) => this.#suspects.has(bucket)));
    this.#failures++;
    if (this.#failures === FAILURES_MAX) this.#probedAtMs = nowMs;
  }
}
