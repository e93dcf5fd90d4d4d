import type { Bucket } from "../engine/bucket.ts";
import type { Operation, Rows } from "../engine/operation.ts";
import type { BucketState, Lease } from "../rules/bucket-state.ts";
import { look, reset } from "../rules/decide.ts";
import { capacityOf } from "../rules/policy.ts";
import type { Target } from "./bucket-directory.ts";

/** Empties buckets; what was charged or leased there counts no more. */
export class ResetOperation implements Operation {
  readonly buckets: readonly Bucket[];
  readonly needsLeases = true;
  readonly needsRows = false;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #target: Target;
  readonly #caller: string;
  #isReset = false;
  readonly #resolve: (isReset: boolean) => void;
  readonly #reject: (error: Error) => void;

  constructor(options: {
    target: Target;
    /** Who is answerable for it. */
    caller: string;
    deadlineMs: number;
    /** Told whether anything counted there. */
    resolve: (isReset: boolean) => void;
    reject: (error: Error) => void;
  }) {
    this.#target = options.target;
    this.#caller = options.caller;
    this.buckets = options.target.buckets;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    const { policy } = this.#target;
    const isWider = (bucket: Bucket) => bucket.policy !== policy;
    const own = this.buckets.filter((bucket) => !isWider(bucket)).map((b) => rows.stateOf(b));
    const ended = new Set(own.flatMap(leaseIdsOf));
    this.#isReset = false;
    for (const bucket of this.buckets) {
      const state = rows.stateOf(bucket);
      if (state === undefined) continue;
      this.#isReset ||= counts(bucket, state, rows.nowMs);
      if (isWider(bucket) && state.kind === "concurrency") {
        // Others of the network still hold their places in their own rows.
        const leases = state.leases.filter(({ id }) => !ended.has(id));
        rows.write(bucket, { ...state, leases }, lastEndMs(leases, rows.nowMs));
      } else {
        rows.write(bucket, reset(state, rows.nowMs), rows.nowMs);
      }
    }
    this.#audit(rows);
  }

  /** Committed together with the reset, also where nothing counted. */
  #audit(rows: Rows): void {
    const [own] = this.buckets;
    if (own === undefined) return;
    rows.writeAudit({
      caller: this.#caller,
      event: "bucket.reset",
      policy: this.#target.policy.name,
      bucketId: own.id,
      detail: { reset: this.#isReset },
    });
  }

  succeed(): void {
    this.isSettled = true;
    this.#resolve(this.#isReset);
  }

  fail(error: Error): void {
    this.isSettled = true;
    this.#reject(error);
  }
}

/** Whether a bucket is less than full. */
function counts({ policy }: Bucket, state: BucketState, nowMs: number): boolean {
  const { remaining, resetAfterMs } = look(policy, state, nowMs, 0);
  return remaining < capacityOf(policy) || resetAfterMs > 0;
}

function leaseIdsOf(state: BucketState | undefined): string[] {
  return state?.kind === "concurrency" ? state.leases.map(({ id }) => id) : [];
}

function lastEndMs(leases: readonly Lease[], nowMs: number): number {
  return leases.reduce((end, lease) => Math.max(end, lease.expiresAtMs), nowMs);
}
