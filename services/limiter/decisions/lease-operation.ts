import { Bucket } from "../engine/bucket.ts";
import type { Operation, Rows } from "../engine/operation.ts";
import type { ConcurrencyState } from "../rules/bucket-state.ts";
import { heldOf, releaseLeases, renewLeases } from "../rules/concurrency.ts";
import type { ConcurrencyPolicy } from "../rules/policy.ts";
import type { RowId } from "../store/store.ts";

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
  /** The leases to look for in each bucket. */
  readonly #leaseIds: ReadonlyMap<Bucket, ReadonlySet<RowId>>;
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
    const ids = new Map<RowId, Set<RowId>>();
    for (const { id, bucketId } of options.entries) {
      ids.set(bucketId, (ids.get(bucketId) ?? new Set()).add(id));
    }
    this.#leaseIds = new Map(
      Array.from(ids, ([id, leaseIds]) => [new Bucket(id, ANY_CONCURRENCY, true), leaseIds]),
    );
    this.buckets = [...this.#leaseIds.keys()];
    this.#ttlMs = options.ttlMs;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    const { nowMs } = rows;
    const lost = new Set<RowId>();
    for (const [bucket, leaseIds] of this.#leaseIds) {
      const state = rows.stateOf(bucket);
      const places = state?.kind === "concurrency" ? state : undefined;
      const held = heldOf(places, nowMs, leaseIds);
      for (const id of leaseIds) if (!held.has(id)) lost.add(id);
      const after =
        this.#ttlMs === undefined
          ? releaseLeases(places, nowMs, leaseIds)
          : renewLeases(places, nowMs, leaseIds, this.#ttlMs);
      if (after !== undefined) rows.write(bucket, after, lastEndMs(after, nowMs));
    }
    this.#lost = lost;
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
  return state.leases.reduce((end, lease) => Math.max(end, lease.expiresAtMs), nowMs);
}
