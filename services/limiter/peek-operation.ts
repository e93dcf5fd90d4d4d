import type { Bucket } from "./bucket.ts";
import { look } from "./decide.ts";
import { combine, type Decision, type Demand } from "./decision.ts";
import type { Operation, Rows } from "./operation.ts";

/** Looks at what a request would be answered, on committed rows; takes nothing. */
export class PeekOperation implements Operation {
  readonly buckets: readonly Bucket[];
  readonly needsLeases = true;
  readonly needsRows = false;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #demands: readonly Demand[];
  readonly #resolve: (decision: Decision) => void;
  readonly #reject: (error: Error) => void;
  #decision: Decision = { allowed: false, retryAfterMs: 0, buckets: [] };

  constructor(options: {
    demands: readonly Demand[];
    deadlineMs: number;
    resolve: (decision: Decision) => void;
    reject: (error: Error) => void;
  }) {
    this.#demands = options.demands;
    this.buckets = options.demands.flatMap(({ target }) => target.buckets);
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    this.#decision = combine(this.#demands, (bucket, { cost, lease }) =>
      look(bucket.policy, rows.stateOf(bucket), rows.nowMs, cost, lease?.id),
    );
  }

  succeed(): void {
    this.isSettled = true;
    this.#resolve(this.#decision);
  }

  fail(error: Error): void {
    this.isSettled = true;
    this.#reject(error);
  }
}
