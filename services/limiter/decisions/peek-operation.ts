import type { Bucket } from "../engine/bucket.ts";
import type { Operation, Rows } from "../engine/operation.ts";
import { look } from "../rules/decide.ts";
import { bucketsOf, combine, type Decision, type Demand, lookAtDemands } from "./decision.ts";

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
  #decision: Decision = { allowed: false, retryAfterMs: 0, buckets: [], charged: undefined };

  constructor(options: {
    demands: readonly Demand[];
    deadlineMs: number;
    resolve: (decision: Decision) => void;
    reject: (error: Error) => void;
  }) {
    this.#demands = options.demands;
    this.buckets = bucketsOf(options.demands);
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    const views = lookAtDemands(this.#demands, (bucket, { cost, lease }) =>
      look(bucket.policy, rows.stateOf(bucket), rows.nowMs, cost, lease?.id),
    );
    this.#decision = combine(this.#demands, views);
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
