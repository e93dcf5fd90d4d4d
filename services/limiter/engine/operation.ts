import type { BucketState } from "../rules/bucket-state.ts";
import type { Audit, RowId, StoredAnswer } from "../store/store.ts";
import type { Bucket } from "./bucket.ts";

/** The rows an operation works on while they are locked, or as they were read. */
export type Rows = {
  nowMs: number;
  stateOf(bucket: Bucket): BucketState | undefined;
  /**
   * Replaces the state of a locked row, with what it leaves when that is known. Later operations
   * of the flush see it.
   */
  write(
    bucket: Bucket,
    state: BucketState | undefined,
    expiresMs: number,
    remaining?: number,
  ): void;
  answerOf(id: RowId): StoredAnswer | undefined;
  writeAnswer(id: RowId, answer: StoredAnswer): void;
  isRefunded(receiptId: RowId): boolean;
  writeRefund(receiptId: RowId, expiresMs: number): void;
  writeAudit(audit: Audit): void;
};

/** Something that waits for its rows. It is settled exactly once. */
export type Operation = {
  readonly buckets: readonly Bucket[];
  /** Whether leases of the concurrency buckets among them are needed. */
  readonly needsLeases: boolean;
  /** Whether rows must exist; those who only give back find nothing in a missing one. */
  readonly needsRows: boolean;
  readonly answerId?: RowId | undefined;
  readonly receiptId?: RowId | undefined;
  /** When waiting ends, by the clock of this process. */
  readonly deadlineMs: number;
  isSettled: boolean;
  /** How often it was put back because rows were missing. */
  attempts: number;
  /** Decides on the rows and remembers the answer. May run again when a flush is split. */
  apply(rows: Rows): void;
  /** What was remembered is committed. */
  succeed(): void;
  fail(error: Error): void;
};
