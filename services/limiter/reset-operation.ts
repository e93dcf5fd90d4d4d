import type { Bucket } from "./bucket.ts";
import type { Operation, Rows } from "./operation.ts";

/** Empties buckets; what was charged or leased there counts no more. */
export class ResetOperation implements Operation {
  readonly buckets: readonly Bucket[];
  readonly needsLeases = true;
  readonly needsRows = false;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(options: {
    buckets: readonly Bucket[];
    deadlineMs: number;
    resolve: () => void;
    reject: (error: Error) => void;
  }) {
    this.buckets = options.buckets;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    for (const bucket of this.buckets) {
      if (rows.stateOf(bucket) !== undefined) rows.write(bucket, undefined, rows.nowMs);
    }
  }

  succeed(): void {
    this.isSettled = true;
    this.#resolve();
  }

  fail(error: Error): void {
    this.isSettled = true;
    this.#reject(error);
  }
}
