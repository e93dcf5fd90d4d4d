import type { BucketState } from "../rules/bucket-state.ts";
import { look } from "../rules/decide.ts";
import type { Policy } from "../rules/policy.ts";
import { laneOf, type RowId } from "../store/store.ts";

/** What this process knows of one row. */
export class Bucket {
  readonly id: RowId;
  readonly lane: number;
  /** The rule of this row; for a wider network, the policy with the wider limit. */
  readonly policy: Policy;
  /** Made for one operation that has only the id; nothing is remembered by it. */
  readonly isPassing: boolean;
  /** Whether the row is known to exist. */
  isKnown: boolean;
  /** The state that was committed last, as far as this process knows, and what it left. */
  state: BucketState | undefined = undefined;
  remaining = Number.POSITIVE_INFINITY;
  /** The database's clock when that was read, and this process's at the same moment. */
  stateAtMs = 0;
  readAtMs = Number.NEGATIVE_INFINITY;
  /** Which flush took this row last, and where it is in there. */
  flushNumber = 0;
  flushIndex = 0;

  constructor(id: RowId, policy: Policy, isPassing = false) {
    this.id = id;
    this.lane = laneOf(id);
    this.policy = policy;
    this.isPassing = isPassing;
    this.isKnown = isPassing;
  }

  /** Remembers what a flush committed or a read found. */
  remember(
    state: BucketState | undefined,
    stateAtMs: number,
    readAtMs: number,
    remaining?: number,
  ): void {
    this.isKnown = true;
    // Leases are thousands at worst, and no decision is made on what is remembered of them.
    if (this.isPassing || state?.kind === "concurrency") return;
    this.remaining =
      state === undefined
        ? Number.POSITIVE_INFINITY
        : (remaining ?? look(this.policy, state, stateAtMs, 0).remaining);
    this.state = state;
    this.stateAtMs = stateAtMs;
    this.readAtMs = readAtMs;
  }

  /** The committed state, as far as this process knows. */
  get known(): BucketState | undefined {
    return this.readAtMs === Number.NEGATIVE_INFINITY ? undefined : this.state;
  }

  /** Nothing is known any more: a flush ended in an unknown way. */
  forget(): void {
    this.readAtMs = Number.NEGATIVE_INFINITY;
    this.remaining = Number.POSITIVE_INFINITY;
  }
}
