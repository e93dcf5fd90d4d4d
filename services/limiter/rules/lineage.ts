// A charge counts only in the bucket that it was made in: a reset, or another algorithm, begins a
// new one in the same row. Beginnings are numbered by the database's clock, so that a row that was
// deleted and made again has another number too. The low digits count changes of the rule within
// one beginning, so that rows are equal only when everything but the last charge is.

/** The beginning of a bucket and the revision of its rule; 0 for rows of older programs. */
export type Lineage = number;

/** More changes of a rule than one beginning sees; one more is only a new beginning. */
const REVISIONS = 1_024;

/** A new beginning now, later than the one before even if the clock has stepped back. */
export function beginLineage(before: Lineage | undefined, nowMs: number): Lineage {
  return Math.max(beginningOf(before ?? 0) + 1, nowMs) * REVISIONS;
}

/** The same beginning with another rule. */
export function reviseLineage(lineage: Lineage): Lineage {
  return lineage + 1;
}

/** Numbers the beginning: about when it was. */
export function beginningOf(lineage: Lineage): number {
  return Math.floor(lineage / REVISIONS);
}
