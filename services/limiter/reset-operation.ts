import type { Bucket } from "./bucket.ts";
import type { Target } from "./bucket-directory.ts";
import type { BucketState, Lease } from "./bucket-state.ts";
import type { Operation, Rows } from "./operation.ts";

/** Empties buckets; what was charged or leased there counts no more. */
export class ResetOperation implements Operation {
  readonly buckets: readonly Bucket[];
  readonly needsLeases = true;
  readonly needsRows = false;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #target: Target;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(options: {
    target: Target;
    deadlineMs: number;
    resolve: () => void;
    reject: (error: Error) => void;
  }) {
    this.#target = options.target;
    this.buckets = options.target.buckets;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    const { policy } = this.#target;
    const isWider = (bucket: Bucket) => bucket.policy !== policy;
    const own = this.buckets.filter((bucket) => !isWider(bucket)).map((b) => rows.stateOf(b));
    const ended = new Set(own.flatMap(leaseIdsOf));
    for (const bucket of this.buckets) {
      const state = rows.stateOf(bucket);
      if (state === undefined) continue;
      if (isWider(bucket) && state.kind === "concurrency") {
        // Others of the network still hold their places in their own rows.
        const leases = state.leases.filter(({ id }) => !ended.has(id));
        rows.write(bucket, { ...state, leases }, lastEndMs(leases, rows.nowMs));
      } else {
        rows.write(bucket, undefined, rows.nowMs);
      }
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

function leaseIdsOf(state: BucketState | undefined): string[] {
  return state?.kind === "concurrency" ? state.leases.map(({ id }) => id) : [];
}

function lastEndMs(leases: readonly Lease[], nowMs: number): number {
  return leases.reduce((end, lease) => Math.max(end, lease.expiresAtMs), nowMs);
}
