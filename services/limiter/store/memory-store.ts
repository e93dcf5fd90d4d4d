import { isDeepStrictEqual } from "node:util";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "../../runtime/clock.ts";
import type { BucketState, Lease } from "../rules/bucket-state.ts";
import { ANSWER_KEPT_MS } from "./answer-kept.ts";
import type { Changes, Found, KnownCharges, RowId, Store, StoredAnswer, Wanted } from "./store.ts";

/** Of the heap, for everything that is kept here. */
const HEAP_SHARE = 0.3;
/** A row of any table or a lease takes less: 590 bytes is the most that was measured (an answer). */
const ROW_BYTES = 800;
const ROWS_MAX = 1_000_000;
/** A new row must live until the flush it was made for. */
const NEW_ROW_MS = 60_000;
/** Buckets outlive the answers that charged them: one that is gone was not reset since. */
const BUCKETS_KEPT_MS = ANSWER_KEPT_MS;
/** Looked at by one sweep. */
const SWEEP_ROWS = 10_000;
/** A full store does not look for expired rows at every request. */
const SWEEP_AGAIN_MS = 100;

const NONE: ReadonlySet<RowId> = new Set();

type Expiring<T> = { value: T; expiresMs: number };

/** Keeps everything in this process, for development: a restart forgets it. */
export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #buckets = new Map<RowId, Expiring<BucketState | undefined>>();
  readonly #answers = new Map<RowId, Expiring<StoredAnswer>>();
  readonly #refunds = new Map<RowId, Expiring<true>>();
  readonly #leases = new Map<RowId, Set<RowId>>();
  readonly #tables: ReadonlyArray<{
    rows: Map<RowId, Expiring<unknown>>;
    remove: (id: RowId) => void;
  }> = [
    { rows: this.#buckets, remove: (id) => this.#deleteBucket(id) },
    { rows: this.#answers, remove: (id) => this.#answers.delete(id) },
    { rows: this.#refunds, remove: (id) => this.#refunds.delete(id) },
  ];
  /** A full store refuses rather than forgets what still counts. */
  readonly #rowsMax = Math.min(
    ROWS_MAX,
    Math.floor((getHeapStatistics().heap_size_limit * HEAP_SHARE) / ROW_BYTES),
  );
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  readonly #rests: Array<Iterator<[RowId, Expiring<unknown>]>> = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async create(_lane: number, ids: readonly RowId[]): Promise<ReadonlySet<RowId>> {
    if (this.#isFull(ids.length) && performance.now() - this.#sweptAtMs > SWEEP_AGAIN_MS) {
      await this.sweep();
    }
    this.#refuseIfFull(ids.length);
    const expiresMs = this.#clock.nowMs() + NEW_ROW_MS;
    for (const id of ids) {
      if (!this.#buckets.has(id)) this.#buckets.set(id, { value: undefined, expiresMs });
    }
    return NONE;
  }

  async flush(_lane: number, wanted: Wanted, decide: (found: Found) => Changes): Promise<void> {
    this.#apply(decide(this.#find(wanted)));
  }

  async charge(_lane: number, charges: KnownCharges): Promise<number | undefined> {
    // Nothing is gained by deciding earlier than now: reading costs nothing here.
    if (charges.nowMs !== this.#clock.nowMs()) return undefined;
    for (const { id, before } of charges.buckets) {
      if (!isDeepStrictEqual(this.#buckets.get(id)?.value, before)) return undefined;
    }
    this.#apply({ buckets: charges.buckets, answers: [], refunds: [], audits: [] });
    return charges.nowMs;
  }

  async read(wanted: Wanted): Promise<Found> {
    return this.#find(wanted);
  }

  async findLeases(
    leaseIds: readonly RowId[],
  ): Promise<ReadonlyArray<{ id: RowId; bucketId: RowId }>> {
    return leaseIds.flatMap((id) =>
      [...(this.#leases.get(id) ?? [])].map((bucketId) => ({ id, bucketId })),
    );
  }

  async sweep(): Promise<number> {
    const nowMs = this.#clock.nowMs();
    this.#sweptAtMs = performance.now();
    let deleted = 0;
    for (const [index, { rows, remove }] of this.#tables.entries()) {
      // Goes on where the last sweep stopped; what was deleted or added since does not matter.
      let rest = this.#rests[index] ?? rows.entries();
      for (let looked = 0; looked < SWEEP_ROWS; looked++) {
        const next = rest.next();
        if (next.done === true) {
          rest = rows.entries();
          break;
        }
        const [id, { value, expiresMs }] = next.value;
        const keptMs = rows === this.#buckets && value !== undefined ? BUCKETS_KEPT_MS : 0;
        if (expiresMs + keptMs >= nowMs) continue;
        remove(id);
        deleted++;
      }
      this.#rests[index] = rest;
    }
    return deleted;
  }

  async close(): Promise<void> {}

  #isFull(more: number): boolean {
    const rows = this.#buckets.size + this.#answers.size + this.#refunds.size + this.#leases.size;
    return rows + more > this.#rowsMax;
  }

  #refuseIfFull(more: number): void {
    if (more > 0 && this.#isFull(more)) throw new Error("the memory store is full");
  }

  #find(wanted: Wanted): Found {
    const answers = new Map<RowId, StoredAnswer>();
    for (const id of wanted.answers) {
      const stored = this.#answers.get(id);
      if (stored !== undefined) answers.set(id, stored.value);
    }
    return {
      nowMs: this.#clock.nowMs(),
      states: wanted.buckets.map((id) => this.#buckets.get(id)?.value),
      missing: new Set(wanted.buckets.filter((id) => !this.#buckets.has(id))),
      held: NONE,
      answers,
      refunded: new Set(
        [...wanted.refunds, ...[...answers.values()].map(({ receiptId }) => receiptId)].filter(
          (id) => this.#refunds.has(id),
        ),
      ),
    };
  }

  #apply(changes: Changes): void {
    const leases = changes.buckets.flatMap(({ before, after }) => addedLeases(before, after));
    this.#refuseIfFull(leases.length + changes.answers.length + changes.refunds.length);
    for (const { id, before, after, expiresMs } of changes.buckets) {
      this.#indexLeases(id, before, after);
      this.#buckets.set(id, { value: after, expiresMs });
    }
    for (const { id, expiresMs, body, answer, receiptId } of changes.answers) {
      this.#answers.set(id, { value: { body, answer, receiptId, expiresMs }, expiresMs });
    }
    for (const { id, expiresMs } of changes.refunds) {
      this.#refunds.set(id, { value: true, expiresMs });
    }
  }

  #deleteBucket(id: RowId): void {
    this.#indexLeases(id, this.#buckets.get(id)?.value, undefined);
    this.#buckets.delete(id);
  }

  #indexLeases(
    bucketId: RowId,
    before: BucketState | undefined,
    after: BucketState | undefined,
  ): void {
    for (const { id } of before?.kind === "concurrency" ? before.leases : []) {
      const buckets = this.#leases.get(id);
      buckets?.delete(bucketId);
      if (buckets?.size === 0) this.#leases.delete(id);
    }
    for (const { id } of after?.kind === "concurrency" ? after.leases : []) {
      const buckets = this.#leases.get(id) ?? new Set();
      this.#leases.set(id, buckets.add(bucketId));
    }
  }
}

function addedLeases(
  before: BucketState | undefined,
  after: BucketState | undefined,
): readonly Lease[] {
  if (after?.kind !== "concurrency") return [];
  const known = new Set(before?.kind === "concurrency" ? before.leases.map(({ id }) => id) : []);
  return after.leases.filter(({ id }) => !known.has(id));
}
