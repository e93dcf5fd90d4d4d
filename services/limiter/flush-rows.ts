import type { Bucket } from "./bucket.ts";
import type { BucketState } from "./bucket-state.ts";
import type { Operation, Rows } from "./operation.ts";
import type { Changes, Found, RowId, StoredAnswer, Wanted } from "./store.ts";

type Row = {
  bucket: Bucket;
  id: RowId;
  before: BucketState | undefined;
  after: BucketState | undefined;
  expiresMs: number;
  /** What `after` leaves now, when an operation said so. */
  remaining: number | undefined;
  isChanged: boolean;
};

const NOTHING: readonly RowId[] = [];

let flushes = 0;

/** The rows of several operations: what to ask the store for, what it found, what changed. */
export class FlushRows implements Rows {
  readonly wanted: Wanted;
  /** Lets a bucket tell at once that it is in here, and where. */
  readonly #number: number;
  readonly #rows = new Map<RowId, Row>();
  readonly #sorted: Row[];
  readonly #newAnswers = new Map<RowId, StoredAnswer & { expiresMs: number }>();
  readonly #newRefunds = new Map<RowId, number>();
  #found: Found | undefined;

  constructor(operations: readonly Operation[]) {
    this.#number = ++flushes;
    const leased: RowId[] = [];
    const answers: RowId[] = [];
    const refunds: RowId[] = [];
    for (const operation of operations) {
      for (const bucket of operation.buckets) {
        this.#add(bucket);
        if (operation.needsLeases && bucket.policy.algorithm === "concurrency") {
          leased.push(bucket.id);
        }
      }
      if (operation.answerId !== undefined) answers.push(operation.answerId);
      if (operation.receiptId !== undefined) refunds.push(operation.receiptId);
    }
    this.#sorted = [...this.#rows.values()].sort(byId);
    for (const [index, { bucket }] of this.#sorted.entries()) bucket.flushIndex = index;
    this.wanted = {
      buckets: this.#sorted.map(({ id }) => id),
      leased: sortedOnce(leased),
      answers: sortedOnce(answers),
      refunds: sortedOnce(refunds),
    };
  }

  #add(bucket: Bucket): void {
    if (bucket.flushNumber === this.#number) return;
    bucket.flushNumber = this.#number;
    const { id } = bucket;
    const row = this.#rows.get(id);
    if (row === undefined) this.#rows.set(id, newRow(bucket));
    else if (row.bucket.isPassing) row.bucket = bucket;
  }

  /** A group of another lane may have taken the bucket since; then it has to be looked up. */
  #find(bucket: Bucket): Row | undefined {
    if (bucket.flushNumber === this.#number) {
      const row = this.#sorted[bucket.flushIndex];
      if (row?.bucket === bucket) return row;
    }
    return this.#rows.get(bucket.id);
  }

  /** Ids of the rows that are not known to exist, sorted. */
  unknown(): readonly RowId[] {
    const unknown = this.#sorted.filter((row) => !row.bucket.isKnown);
    return unknown.length === 0 ? NOTHING : unknown.map(({ id }) => id);
  }

  /** Takes up what the store found. */
  open(found: Found): void {
    this.#found = found;
    for (const [index, row] of this.#sorted.entries()) {
      row.before = found.states[index];
      row.after = row.before;
      row.remaining = undefined;
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
    const answers = [...this.#newAnswers].map(([id, answer]) => ({ id, ...answer }));
    const refunds = [...this.#newRefunds].map(([id, expiresMs]) => ({ id, expiresMs }));
    return {
      buckets: this.#sorted.filter((row) => row.isChanged),
      answers: answers.sort(byId),
      refunds: refunds.sort(byId),
    };
  }

  /** Lets the buckets know what is committed now. */
  remember(readAtMs: number): void {
    const { nowMs } = this;
    for (const { bucket, after, remaining } of this.#sorted) {
      bucket.remember(after, nowMs, readAtMs, remaining);
    }
    for (const id of this.#found?.missing ?? []) this.#lose(id);
  }

  #lose(id: RowId): void {
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
    return this.#find(bucket)?.after;
  }

  write(
    bucket: Bucket,
    state: BucketState | undefined,
    expiresMs: number,
    remaining?: number,
  ): void {
    const row = this.#find(bucket);
    if (row === undefined) throw new Error("an operation wrote a row that it did not ask for");
    row.after = state;
    row.expiresMs = expiresMs;
    row.remaining = remaining;
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
  return {
    bucket,
    id: bucket.id,
    before: undefined,
    after: undefined,
    expiresMs: 0,
    remaining: undefined,
    isChanged: false,
  };
}

function byId(a: { id: RowId }, b: { id: RowId }): number {
  return a.id < b.id ? -1 : 1;
}

function sortedOnce(ids: readonly RowId[]): readonly RowId[] {
  return ids.length === 0 ? NOTHING : [...new Set(ids)].sort();
}
