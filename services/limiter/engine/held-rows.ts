import type { RowId } from "../store/store.ts";
import type { Bucket } from "./bucket.ts";

/** How long after a row was last seen held it is not waited for with others. */
const QUARANTINE_MS = 5_000;
/** More rows than this are held only when a whole table is; then the oldest may as well wait. */
const ROWS_MAX = 10_000;

/** Rows that somebody outside of the limiter keeps locked, or did a moment ago. */
export class HeldRows {
  readonly #untilMs = new Map<RowId, number>();

  /** Remembers rows that could not be locked. */
  add(ids: Iterable<RowId>, nowMs: number): void {
    for (const id of ids) {
      this.#untilMs.delete(id);
      this.#untilMs.set(id, nowMs + QUARANTINE_MS);
    }
    for (const id of this.#untilMs.keys()) {
      if (this.#untilMs.size <= ROWS_MAX) return;
      this.#untilMs.delete(id);
    }
  }

  /** Forgets a row that could be locked. */
  release(id: RowId): void {
    this.#untilMs.delete(id);
  }

  /** Whether any of the buckets is held. Almost always there is none at all. */
  hasAny(buckets: readonly Bucket[], nowMs: () => number): boolean {
    if (this.#untilMs.size === 0) return false;
    return buckets.some(({ id }) => {
      const untilMs = this.#untilMs.get(id);
      if (untilMs === undefined) return false;
      if (untilMs > nowMs()) return true;
      this.#untilMs.delete(id);
      return false;
    });
  }
}
