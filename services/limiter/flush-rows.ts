import type { Bucket } from "./bucket.ts";
import type { BucketState } from "./bucket-state.ts";
import type { Operation, Rows } from "./operation.ts";
import type { Changes, Found, RowId, StoredAnswer, Wanted } from "./store.ts";

type Row = {
  bucket: Bucket;
  before: BucketState | undefined;
  after: BucketState | undefined;
  expiresMs: number;
  isChanged: boolean;
};

/** The rows of several operations: what to ask the store for, what it found, what changed. */
export class FlushRows implements Rows {
  readonly wanted: Wanted;
  readonly #rows = new Map<RowId, Row>();
  readonly #sorted: Row[];
  readonly #newAnswers = new Map<RowId, StoredAnswer & { expiresMs: number }>();
  readonly #newRefunds = new Map<RowId, number>();
  #found: Found | undefined;

  constructor(operations: readonly Operation[]) {
    const leased = new Set<RowId>();
    const answers = new Set<RowId>();
    const refunds = new Set<RowId>();
    for (const operation of operations) {
      for (const bucket of operation.buckets) {
        const row = this.#rows.get(bucket.id);
        if (row === undefined) this.#rows.set(bucket.id, newRow(bucket));
        else if (row.bucket.isPassing) row.bucket = bucket;
        if (operation.needsLeases && bucket.policy.algorithm === "concurrency") {
          leased.add(bucket.id);
        }
      }
      if (operation.answerId !== undefined) answers.add(operation.answerId);
      if (operation.receiptId !== undefined) refunds.add(operation.receiptId);
    }
    this.#sorted = [...this.#rows.values()].sort((a, b) => (a.bucket.id < b.bucket.id ? -1 : 1));
    this.wanted = {
      buckets: this.#sorted.map((row) => row.bucket.id),
      leased: [...leased].sort(),
      answers: [...answers].sort(),
      refunds: [...refunds].sort(),
    };
  }

  /** Ids of the rows that are not known to exist, sorted. */
  unknown(): RowId[] {
    return this.#sorted.filter((row) => !row.bucket.isKnown).map((row) => row.bucket.id);
  }

  /** Takes up what the store found. */
  open(found: Found): void {
    this.#found = found;
    for (const [index, row] of this.#sorted.entries()) {
      row.before = found.states[index];
      row.after = row.before;
      row.isChanged = false;
    }
    this.#newAnswers.clear();
    this.#newRefunds.clear();
  }

  isMissing(operation: Operation): boolean {
    const missing = this.#found?.missing;
    if (missing === undefined || missing.size === 0) return false;
    return operation.buckets.some((bucket) => missing.has(bucket.id));
  }

  changes(): Changes {
    const buckets = this.#sorted
      .filter((row) => row.isChanged)
      .map(({ bucket, before, after, expiresMs }) => ({
        id: bucket.id,
        before,
        after,
        expiresMs,
      }));
    const answers = [...this.#newAnswers].map(([id, answer]) => ({ id, ...answer }));
    const refunds = [...this.#newRefunds].map(([id, expiresMs]) => ({ id, expiresMs }));
    return { buckets, answers: answers.sort(byId), refunds: refunds.sort(byId) };
  }

  /** Lets the buckets know what is committed now. */
  remember(readAtMs: number): void {
    const { nowMs } = this;
    for (const { bucket, after } of this.#sorted) bucket.remember(after, nowMs, readAtMs);
    for (const id of this.#found?.missing ?? []) this.#forget(id);
  }

  #forget(id: RowId): void {
    const bucket = this.#rows.get(id)?.bucket;
    if (bucket === undefined) return;
    bucket.forget();
    bucket.isKnown = false;
  }

  /** Lets the buckets know that nothing is known. */
  forget(): void {
    for (const { bucket } of this.#sorted) bucket.forget();
  }

  get nowMs(): number {
    return this.#found?.nowMs ?? 0;
  }

  stateOf(bucket: Bucket): BucketState | undefined {
    return this.#rows.get(bucket.id)?.after;
  }

  write(bucket: Bucket, state: BucketState | undefined, expiresMs: number): void {
    const row = this.#rows.get(bucket.id);
    if (row === undefined) throw new Error("an operation wrote a row that it did not ask for");
    row.after = state;
    row.expiresMs = expiresMs;
    row.isChanged = true;
  }

  answerOf(id: RowId): StoredAnswer | undefined {
    return this.#newAnswers.get(id) ?? this.#found?.answers.get(id);
  }

  writeAnswer(id: RowId, answer: StoredAnswer & { expiresMs: number }): void {
    this.#newAnswers.set(id, answer);
  }

  isRefunded(receiptId: RowId): boolean {
    return this.#newRefunds.has(receiptId) || this.#found?.refunded.has(receiptId) === true;
  }

  writeRefund(receiptId: RowId, expiresMs: number): void {
    this.#newRefunds.set(receiptId, expiresMs);
  }
}

function newRow(bucket: Bucket): Row {
  return { bucket, before: undefined, after: undefined, expiresMs: 0, isChanged: false };
}

function byId(a: { id: RowId }, b: { id: RowId }): number {
  return a.id < b.id ? -1 : 1;
}
