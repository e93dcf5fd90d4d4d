import type { BucketState } from "./bucket-state.ts";
import { beginningOf } from "./lineage.ts";
import { refilledBy } from "./token-bucket.ts";

/**
 * Where in the life of its bucket a charge was made. Whether it still counts is found by comparing
 * this with the bucket as it is, never from the time that has passed alone.
 */
export type Mark = {
  /** The beginning of the bucket. */
  beginning: number;
  /**
   * What had refilled by then, in units; for windows the place of the count, and for concurrency
   * the number of the lease.
   */
  at: number;
  /** Units of a token then; 0 where nothing refills. */
  unit: number;
};

/** The mark of a charge that has just been made and led to this state. */
export function markOf(state: BucketState | undefined, leaseId?: string): Mark {
  if (state === undefined) throw new Error("a charge left no state");
  const beginning = beginningOf(state.lineage);
  switch (state.kind) {
    case "token_bucket":
      return { beginning, at: refilledBy(state), unit: state.unit };
    case "fixed_window":
    case "sliding_window":
      return { beginning, at: state.position, unit: 0 };
    case "concurrency": {
      const lease = state.leases.find(({ id }) => id === leaseId);
      return { beginning, at: lease?.number ?? 0, unit: 0 };
    }
  }
}
