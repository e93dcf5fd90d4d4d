import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";

/** A replica of the limiter repeats a rejection from memory for 250 ms. */
const BELIEVED_MS = 300;
/** Many times the logins that a process can check within that time. */
const BUCKETS_MAX = 4_096;

/**
 * The buckets to which this process refunded a moment ago. A rejection by one of them may be older
 * than the refund, and its wait that of a lock that the refund has lifted.
 */
export class RecentRefunds {
  /** In the order of the refunds. */
  readonly #refundedAtMs = new Map<string, number>();

  note(buckets: readonly BucketRequest[], nowMs: number): void {
    for (const bucket of buckets) {
      const name = nameOf(bucket);
      this.#refundedAtMs.delete(name);
      this.#refundedAtMs.set(name, nowMs);
    }
    for (const [name, atMs] of this.#refundedAtMs) {
      const isOld = Math.abs(nowMs - atMs) >= BELIEVED_MS;
      if (!isOld && this.#refundedAtMs.size <= BUCKETS_MAX) return;
      this.#refundedAtMs.delete(name);
    }
  }

  /** The time until a rejection by these buckets can be believed; 0 if it can be now. */
  waitMs(buckets: readonly BucketRequest[], nowMs: number): number {
    const waits = buckets.map((bucket) => {
      const atMs = this.#refundedAtMs.get(nameOf(bucket)) ?? Number.NEGATIVE_INFINITY;
      return nowMs < atMs ? 0 : atMs + BELIEVED_MS - nowMs;
    });
    return Math.max(0, ...waits);
  }
}

function nameOf({ policy, key }: BucketRequest): string {
  return `${policy} ${key}`;
}
