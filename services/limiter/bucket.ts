import type { BucketState } from "./bucket-state.ts";
import type { Policy } from "./policy.ts";
import { laneOf, type RowId } from "./store.ts";

/** What this process knows of one row. */
export class Bucket {
  readonly id: RowId;
  readonly lane: number;
  /** The rule of this row; for a wider network, the policy with the wider limit. */
  readonly policy: Policy;
  /** Whether the row is known to exist. */
  isKnown = false;
  /** The state that was committed last, as far as this process knows. */
  state: BucketState | undefined = undefined;
  /** The database's clock when that was read, and this process's at the same moment. */
  stateAtMs = 0;
  readAtMs = Number.NEGATIVE_INFINITY;

  /** Made for one operation that has only the id; nothing is remembered by it. */
  readonly isPassing: boolean;

  constructor(id: RowId, policy: Policy, isPassing = false) {
    this.id = id;
    this.isPassing = isPassing;
    this.isKnown = isPassing;
    this.lane = laneOf(id);
    this.policy = policy;
  }

  /** Remembers what a flush committed or a read found. */
  remember(state: BucketState | undefined, stateAtMs: number, readAtMs: number): void {
    this.isKnown = true;
    this.state = state;
    this.stateAtMs = stateAtMs;
    this.readAtMs = readAtMs;
  }

  /** Nothing is known any more: a flush ended in an unknown way. */
  forget(): void {
    this.readAtMs = Number.NEGATIVE_INFINITY;
  }
}
