import type { BucketState } from "../rules/bucket-state.ts";

/** The id of a row: 16 bytes, as a string of 16 characters below 256, which sorts as bytes do. */
export type RowId = string;

/** The rows a flush works on. Every list is sorted and without duplicates. */
export type Wanted = {
  buckets: readonly RowId[];
  /** Those of the buckets whose leases are needed too. */
  leased: readonly RowId[];
  /** Idempotency keys. */
  answers: readonly RowId[];
  /** Receipts. */
  refunds: readonly RowId[];
};

/** What was found, as of one instant. */
export type Found = {
  nowMs: number;
  /** In the order of `Wanted.buckets`; undefined for a bucket without state. */
  states: ReadonlyArray<BucketState | undefined>;
  /** Buckets that have no row, so could not be locked. */
  missing: ReadonlySet<RowId>;
  /** Buckets that somebody else holds, so that they were neither locked nor read. */
  held: ReadonlySet<RowId>;
  answers: ReadonlyMap<RowId, StoredAnswer>;
  /** Those of the receipts, and of those that the answers name, that were refunded. */
  refunded: ReadonlySet<RowId>;
};

/** The answer a request with an idempotency key was given. */
export type StoredAnswer = {
  /** Digest of the request's body. */
  body: RowId;
  answer: string;
  /** Names the charge that the answer promises. */
  receiptId: RowId;
  expiresMs: number;
};

/** What an operator did. */
export type Audit = {
  caller: string;
  event: "bucket.reset";
  policy: string;
  bucketId: RowId;
  detail: Readonly<Record<string, boolean>>;
};

/** What a flush changes. Every list is sorted by id and without duplicates. */
export type Changes = {
  buckets: ReadonlyArray<{
    id: RowId;
    before: BucketState | undefined;
    after: BucketState | undefined;
    expiresMs: number;
  }>;
  /** One that is replacing another was found, and does not stand any more. */
  answers: ReadonlyArray<StoredAnswer & { id: RowId; isReplacing: boolean }>;
  refunds: ReadonlyArray<{ id: RowId; expiresMs: number }>;
  audits: readonly Audit[];
};

/** Charges decided on what is known of rows, without reading them. */
export type KnownCharges = {
  /** When they were decided: by the database's clock, a little ago at most. */
  nowMs: number;
  /**
   * Charges on token buckets that are not blocked, sorted by id and without duplicates; `before` is
   * what is known.
   */
  buckets: Changes["buckets"];
};

/** Where buckets are kept. One suite of tests holds for every store. */
export type Store = {
  /**
   * Makes rows for buckets not known to have one; those that exist stay as they are. Answers those
   * that somebody else is making or deleting, for which a patient caller has waited.
   */
  create(lane: number, ids: readonly RowId[], isPatient: boolean): Promise<ReadonlySet<RowId>>;
  /**
   * Locks rows in ascending order, reads them and then the clock, lets `decide` say what changes,
   * and resolves once that is as durable as it gets. Rejects when it is not known to be. A patient
   * one waits for rows that others hold, and rejects when it has waited too long; an impatient one
   * passes them over.
   */
  flush(
    lane: number,
    wanted: Wanted,
    decide: (found: Found) => Changes,
    isPatient: boolean,
  ): Promise<void>;
  /**
   * Makes charges if each row is still as it is known and `nowMs` has just passed, and resolves to
   * the clock once that is as durable as it gets. Otherwise changes nothing and resolves to
   * undefined. Rejects when it is not known which.
   */
  charge(lane: number, charges: KnownCharges): Promise<number | undefined>;
  /** Reads committed rows without locking any. */
  read(wanted: Wanted): Promise<Found>;
  /** The buckets that hold leases; one lease may be held in several. */
  findLeases(leaseIds: readonly RowId[]): Promise<ReadonlyArray<{ id: RowId; bucketId: RowId }>>;
  /**
   * Deletes some rows that say nothing any more, and answers how many. Rejects with a SweepError
   * when that was not possible everywhere.
   */
  sweep(): Promise<number>;
  close(): Promise<void>;
};

/** Lanes of buckets; rows are dealt out by the first bits of their ids. */
const LANES = 4;

/**
 * The lane of what spans others: groups that share rows would only wait for each other if they were
 * spread.
 */
export const GROUP_LANE = LANES;

/** The lane of what needs rows that somebody holds, so that it keeps nobody else waiting. */
export const HELD_LANE = GROUP_LANE + 1;

/** Some tables could not be swept; what could be was. */
export class SweepError extends Error {
  override name = "SweepError";
  readonly deleted: number;

  constructor(deleted: number, cause: unknown) {
    super("some tables could not be swept", { cause });
    this.deleted = deleted;
  }
}

/** A whole table is locked, so that nothing can be decided for anybody. */
export class TableHeldError extends Error {
  override name = "TableHeldError";

  constructor(cause: unknown) {
    super("a table of the limiter is locked", { cause });
  }
}

/** The lane of a bucket. */
export function laneOf(id: RowId): number {
  return id.charCodeAt(0) & (LANES - 1);
}
