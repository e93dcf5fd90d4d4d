import { Bucket } from "../engine/bucket.ts";
import type { Operation, Rows } from "../engine/operation.ts";
import type { Charge } from "../rules/decide.ts";
import { look, refund } from "../rules/decide.ts";
import type { Policy } from "../rules/policy.ts";
import type { RowId } from "../store/store.ts";

/** What a receipt says was taken from one row. */
export type RefundEntry = { bucketId: RowId; policy: Policy; charge: Charge };

/** A claim outlives anything it could give back, even when the clock steps back an hour. */
const CLAIM_MARGIN_MS = 3_600_000;

/** Gives back what of one receipt still counts, once. */
export class RefundOperation implements Operation {
  readonly buckets: readonly Bucket[];
  readonly needsLeases: boolean;
  readonly needsRows = false;
  readonly receiptId: RowId;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #entries: ReadonlyArray<RefundEntry & { bucket: Bucket }>;
  readonly #resolve: (refunded: boolean) => void;
  readonly #reject: (error: Error) => void;
  #refunded = false;

  constructor(options: {
    receiptId: RowId;
    entries: readonly RefundEntry[];
    deadlineMs: number;
    resolve: (refunded: boolean) => void;
    reject: (error: Error) => void;
  }) {
    this.#entries = options.entries.map((entry) => ({
      ...entry,
      bucket: new Bucket(entry.bucketId, entry.policy, true),
    }));
    this.buckets = this.#entries.map(({ bucket }) => bucket);
    this.needsLeases = options.entries.some(({ charge }) => charge.leaseId !== undefined);
    this.receiptId = options.receiptId;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    this.#refunded = false;
    if (rows.isRefunded(this.receiptId)) return;
    const { nowMs } = rows;
    let lastResetMs = nowMs;
    for (const { bucket, policy, charge } of this.#entries) {
      const before = rows.stateOf(bucket);
      const given = refund(policy, before, nowMs, charge);
      if (given === undefined) continue;
      const resetMs = nowMs + look(policy, before, nowMs, 0).resetAfterMs;
      lastResetMs = Math.max(lastResetMs, resetMs);
      rows.write(bucket, given, resetMs);
      this.#refunded = true;
    }
    if (this.#refunded) rows.writeRefund(this.receiptId, lastResetMs + CLAIM_MARGIN_MS);
  }

  succeed(): void {
    this.isSettled = true;
    this.#resolve(this.#refunded);
  }

  fail(error: Error): void {
    this.isSettled = true;
    this.#reject(error);
  }
}
