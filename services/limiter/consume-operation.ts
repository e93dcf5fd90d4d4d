import type { Bucket } from "./bucket.ts";
import type { Ruling } from "./bucket-state.ts";
import { decide, look } from "./decide.ts";
import { bucketsOf, combine, type Decision, type Demand, lookAtDemands } from "./decision.ts";
import { countDecision, type Events } from "./events.ts";
import type { Operation, Rows } from "./operation.ts";
import type { RowId } from "./store.ts";
import { ANSWER_KEPT_MS, restoreDecision, storeDecision } from "./stored-answer.ts";

/** What names a request that may come again. */
export type Idempotency = { id: RowId; body: RowId };

/** The answer of a consume: a decision, or that the key was used for another request. */
export type Consumed = Decision | "key-reused";

/** Takes what a request demands from all of its buckets, or from none. */
export class ConsumeOperation implements Operation {
  readonly demands: readonly Demand[];
  readonly buckets: readonly Bucket[];
  readonly needsLeases: boolean;
  readonly needsRows = true;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #events: Events;
  readonly #idempotency: Idempotency | undefined;
  readonly #receiptId: RowId;
  readonly #resolve: (consumed: Consumed) => void;
  readonly #reject: (error: Error) => void;
  #consumed: Consumed = "key-reused";

  constructor(
    demands: readonly Demand[],
    options: {
      events: Events;
      idempotency: Idempotency | undefined;
      receiptId: RowId;
      deadlineMs: number;
      resolve: (consumed: Consumed) => void;
      reject: (error: Error) => void;
    },
  ) {
    this.demands = demands;
    this.buckets = bucketsOf(demands);
    this.needsLeases = demands.some(({ lease }) => lease !== undefined);
    this.#events = options.events;
    this.#idempotency = options.idempotency;
    this.#receiptId = options.receiptId;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  get answerId(): RowId | undefined {
    return this.#idempotency?.id;
  }

  apply(rows: Rows): void {
    const first = this.#idempotency && rows.answerOf(this.#idempotency.id);
    if (first !== undefined) {
      const isSame = first.body === this.#idempotency?.body;
      this.#consumed = isSame ? restoreDecision(first, this.demands) : "key-reused";
      return;
    }
    const rulings = this.#decide(rows);
    const decision = combine(this.demands, rulings);
    this.#consumed = decision.allowed
      ? this.#allow(rows, decision, rulings)
      : this.#refuse(rows, decision, rulings);
  }

  /** Each row by itself, in the order of `buckets`. */
  #decide(rows: Rows): Ruling[] {
    const rulings: Ruling[] = [];
    for (const { target, cost, lease } of this.demands) {
      for (const bucket of target.buckets) {
        rulings.push(decide(bucket.policy, rows.stateOf(bucket), rows.nowMs, cost, lease));
      }
    }
    return rulings;
  }

  #allow(rows: Rows, decision: Decision, rulings: readonly Ruling[]): Decision {
    const { nowMs } = rows;
    for (let index = 0; index < rulings.length; index++) {
      const bucket = this.buckets[index];
      const ruling = rulings[index];
      if (bucket === undefined || ruling === undefined) continue;
      rows.write(bucket, ruling.state, nowMs + ruling.resetAfterMs, ruling.remaining);
    }
    decision.charged = {
      receiptId: this.#receiptId,
      chargedAtMs: nowMs,
      demands: this.demands,
    };
    if (this.#idempotency !== undefined) {
      rows.writeAnswer(this.#idempotency.id, {
        body: this.#idempotency.body,
        answer: storeDecision(decision),
        expiresMs: nowMs + ANSWER_KEPT_MS,
      });
    }
    return decision;
  }

  /** Charges nothing; but a state from the future has to be brought back to now. */
  #refuse(rows: Rows, decision: Decision, rulings: readonly Ruling[]): Decision {
    const { nowMs } = rows;
    for (const [index, bucket] of this.buckets.entries()) {
      const ruling = rulings[index];
      if (ruling === undefined || ruling.allowed || ruling.state === rows.stateOf(bucket)) continue;
      rows.write(bucket, ruling.state, nowMs + ruling.resetAfterMs);
    }
    if (rulings.length === 1) return decision;
    // Rows that would have let it pass are as they were.
    const views = lookAtDemands(this.demands, (bucket, { cost, lease }) =>
      look(bucket.policy, rows.stateOf(bucket), nowMs, cost, lease?.id),
    );
    return combine(this.demands, views);
  }

  succeed(): void {
    this.isSettled = true;
    if (this.#consumed !== "key-reused") countDecision(this.#events, this.demands, this.#consumed);
    this.#resolve(this.#consumed);
  }

  fail(error: Error): void {
    this.isSettled = true;
    for (const { target } of this.demands) this.#events.decided(target.policy.name, "no-decision");
    this.#reject(error);
  }
}
