import { Bucket } from "./bucket.ts";
import type { ConcurrencyState } from "./bucket-state.ts";
import { releaseLease, renewLease } from "./concurrency.ts";
import type { Operation, Rows } from "./operation.ts";
import type { ConcurrencyPolicy } from "./policy.ts";
import type { RowId } from "./store.ts";

/** Where a lease is held. */
export type LeaseEntry = { id: RowId; bucketId: RowId };

/** Stands for the policy of a row that is known by its id alone; leases end the same under any. */
const ANY_CONCURRENCY: ConcurrencyPolicy = {
  name: "",
  key: "text",
  mode: "enforce",
  blockForMs: 0,
  algorithm: "concurrency",
  limit: 1,
};

/** Puts off the end of leases, or ends them. Answers which of them are not held any more. */
export class LeaseOperation implements Operation {
  readonly buckets: readonly Bucket[];
  readonly needsLeases = true;
  readonly needsRows = false;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #entries: ReadonlyArray<{ id: RowId; bucket: Bucket }>;
  /** Unset to end the leases. */
  readonly #ttlMs: number | undefined;
  readonly #resolve: (lost: ReadonlySet<RowId>) => void;
  readonly #reject: (error: Error) => void;
  #lost: ReadonlySet<RowId> = new Set();

  constructor(options: {
    entries: readonly LeaseEntry[];
    ttlMs: number | undefined;
    deadlineMs: number;
    resolve: (lost: ReadonlySet<RowId>) => void;
    reject: (error: Error) => void;
  }) {
    const buckets = new Map<RowId, Bucket>();
    for (const { bucketId } of options.entries) {
      buckets.set(bucketId, new Bucket(bucketId, ANY_CONCURRENCY, true));
    }
    this.buckets = [...buckets.values()];
    this.#entries = options.entries.flatMap(({ id, bucketId }) => {
      const bucket = buckets.get(bucketId);
      return bucket === undefined ? [] : [{ id, bucket }];
    });
    this.#ttlMs = options.ttlMs;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    const lost = new Set<RowId>();
    for (const { id, bucket } of this.#entries) {
      const state = rows.stateOf(bucket);
      const held = state?.kind === "concurrency" ? state : undefined;
      const after = this.#change(held, rows.nowMs, id);
      if (after === undefined) lost.add(id);
      else rows.write(bucket, after, lastEndMs(after, rows.nowMs));
    }
    this.#lost = lost;
  }

  #change(
    state: ConcurrencyState | undefined,
    nowMs: number,
    id: RowId,
  ): ConcurrencyState | undefined {
    if (this.#ttlMs === undefined) return releaseLease(state, nowMs, id);
    return renewLease(state, nowMs, { id, ttlMs: this.#ttlMs });
  }

  succeed(): void {
    this.isSettled = true;
    this.#resolve(this.#lost);
  }

  fail(error: Error): void {
    this.isSettled = true;
    this.#reject(error);
  }
}

function lastEndMs(state: ConcurrencyState, nowMs: number): number {
  return Math.max(nowMs, ...state.leases.map((lease) => lease.expiresAtMs));
}
