import type { BucketState } from "../rules/bucket-state.ts";
import { isCharge } from "../store/charge.ts";
import type { Audit, Changes, Found, RowId, StoredAnswer, Wanted } from "../store/store.ts";
import type { Bucket } from "./bucket.ts";
import type { Operation, Rows } from "./operation.ts";

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
const NO_IDS: ReadonlySet<RowId> = new Set();
const NO_ANSWERS: ReadonlyMap<RowId, StoredAnswer> = new Map();

let flushes = 0;

/** The rows of several operations: what to ask the store for, what it found, what changed. */
export class FlushRows implements Rows {
  readonly wanted: Wanted;
  /** Lets a bucket tell at once that it is in here, and where. */
  readonly #number: number;
  readonly #sorted: Row[];
  readonly #newAnswers = new Map<RowId, StoredAnswer>();
  readonly #newRefunds = new Map<RowId, number>();
  readonly #newAudits: Audit[] = [];
  #found: Found | undefined;

  constructor(operations: readonly Operation[]) {
    this.#number = ++flushes;
    const added: Row[] = [];
    const leased: RowId[] = [];
    const answers: RowId[] = [];
    const refunds: RowId[] = [];
    for (const operation of operations) {
      for (const bucket of operation.buckets) {
        if (bucket.flushNumber !== this.#number) {
          bucket.flushNumber = this.#number;
          added.push(newRow(bucket));
        }
        if (operation.needsLeases && bucket.policy.algorithm === "concurrency") {
          leased.push(bucket.id);
        }
      }
      if (operation.answerId !== undefined) answers.push(operation.answerId);
      if (operation.receiptId !== undefined) refunds.push(operation.receiptId);
    }
    this.#sorted = mergeSorted(added);
    this.wanted = {
      buckets: this.#sorted.map(({ id }) => id),
      leased: sortedOnce(leased),
      answers: sortedOnce(answers),
      refunds: sortedOnce(refunds),
    };
  }

  /** A group of another lane may have taken the bucket since; then it has to be searched. */
  #find(bucket: Bucket): Row | undefined {
    const row = bucket.flushNumber === this.#number ? this.#sorted[bucket.flushIndex] : undefined;
    return row?.id === bucket.id ? row : this.#search(bucket.id);
  }

  #search(id: RowId): Row | undefined {
    let low = 0;
    let high = this.#sorted.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const row = this.#sorted[middle];
      if (row === undefined || row.id === id) return row;
      if (row.id < id) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** Ids of the rows that are not known to exist, sorted. */
  unknown(): readonly RowId[] {
    const unknown = this.#sorted.filter((row) => !row.bucket.isKnown);
    return unknown.length === 0 ? NOTHING : unknown.map(({ id }) => id);
  }

  /**
   * What is known of the rows, as if it had been found then; undefined when it takes reading: for
   * anything but token buckets of which this process saw a state, and no block.
   */
  known(nowMs: number): Found | undefined {
    const { leased, answers, refunds } = this.wanted;
    if (leased.length + answers.length + refunds.length > 0) return undefined;
    const states: BucketState[] = [];
    for (const { bucket } of this.#sorted) {
      const { known } = bucket;
      if (known?.kind !== "token_bucket" || known.blockedUntilMs !== 0) return undefined;
      if (known.atMs > nowMs) return undefined;
      states.push(known);
    }
    const none = { missing: NO_IDS, held: NO_IDS, answers: NO_ANSWERS, refunded: NO_IDS };
    return { nowMs, states, ...none };
  }

  /** The changes, when they are a charge on each row and nothing else. */
  charges(): Changes["buckets"] | undefined {
    const { nowMs } = this;
    const isOnlyCharged = this.#sorted.every((row) => row.isChanged && isCharge(row, nowMs));
    return isOnlyCharged ? this.#sorted : undefined;
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
    this.#newAudits.length = 0;
  }

  isMissing(operation: Operation): boolean {
    return hasAny(this.#found?.missing, operation);
  }

  /** Rows that were neither locked nor read, because somebody else holds them. */
  get held(): ReadonlySet<RowId> {
    return this.#found?.held ?? NO_IDS;
  }

  isHeld(operation: Operation): boolean {
    return hasAny(this.#found?.held, operation);
  }

  changes(): Changes {
    const answers = [...this.#newAnswers].map(([id, answer]) => ({
      ...{ id, ...answer },
      isReplacing: this.#found?.answers.has(id) === true,
    }));
    const refunds = [...this.#newRefunds].map(([id, expiresMs]) => ({ id, expiresMs }));
    return {
      buckets: this.#sorted.filter((row) => row.isChanged),
      answers: answers.sort(byId),
      refunds: refunds.sort(byId),
      audits: [...this.#newAudits],
    };
  }

  /** Lets the buckets know what is committed now. */
  remember(readAtMs: number): void {
    const { nowMs } = this;
    for (const { bucket, after, remaining } of this.#sorted) {
      bucket.remember(after, nowMs, readAtMs, remaining);
    }
    for (const id of this.#found?.missing ?? []) this.#lose(id);
    for (const id of this.#found?.held ?? []) this.#search(id)?.bucket.forget();
  }

  #lose(id: RowId): void {
    const bucket = this.#search(id)?.bucket;
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

  writeAnswer(id: RowId, answer: StoredAnswer): void {
    this.#newAnswers.set(id, answer);
  }

  isRefunded(receiptId: RowId): boolean {
    return this.#newRefunds.has(receiptId) || this.#found?.refunded.has(receiptId) === true;
  }

  writeRefund(receiptId: RowId, expiresMs: number): void {
    this.#newRefunds.set(receiptId, expiresMs);
  }

  writeAudit(audit: Audit): void {
    this.#newAudits.push(audit);
  }
}

function hasAny(ids: ReadonlySet<RowId> | undefined, { buckets }: Operation): boolean {
  return ids !== undefined && ids.size > 0 && buckets.some(({ id }) => ids.has(id));
}

/**
 * Sorts rows by id and makes one of those with the same: whoever has only the id asks with a bucket
 * of its own.
 */
function mergeSorted(added: Row[]): Row[] {
  const sorted: Row[] = [];
  for (const row of added.sort(byId)) {
    const last = sorted.at(-1);
    if (last?.id !== row.id) sorted.push(row);
    else if (last.bucket.isPassing) last.bucket = row.bucket;
    row.bucket.flushIndex = sorted.length - 1;
  }
  return sorted;
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
