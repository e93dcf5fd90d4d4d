import type { Bucket } from "./bucket.ts";
import { decide, look, type Ruling } from "./decide.ts";
import { combine, type Decision, type Demand } from "./decision.ts";
import type { Operation, Rows } from "./operation.ts";
import type { RowId } from "./store.ts";
import { ANSWER_KEPT_MS, restoreDecision, storeDecision } from "./stored-answer.ts";

/** What names a request that may come again. */
export type Idempotency = { id: RowId; body: RowId };

/** The answer of a consume: a decision, or that the key was used for another request. */
export type Consumed = Decision | "key-reused";

/** Takes what a request demands from all of its buckets, or from none. */
export class ConsumeOperation implements Operation {
  readonly buckets: readonly Bucket[];
  readonly needsLeases: boolean;
  readonly needsRows = true;
  readonly answerId: RowId | undefined;
  readonly deadlineMs: number;
  isSettled = false;
  attempts = 0;
  readonly #demands: readonly Demand[];
  readonly #idempotency: Idempotency | undefined;
  readonly #receiptId: RowId;
  readonly #resolve: (consumed: Consumed) => void;
  readonly #reject: (error: Error) => void;
  #consumed: Consumed = "key-reused";

  constructor(options: {
    demands: readonly Demand[];
    idempotency: Idempotency | undefined;
    receiptId: RowId;
    deadlineMs: number;
    resolve: (consumed: Consumed) => void;
    reject: (error: Error) => void;
  }) {
    const { demands } = options;
    const [only] = demands;
    this.buckets =
      demands.length === 1 && only !== undefined
        ? only.target.buckets
        : demands.flatMap(({ target }) => target.buckets);
    this.needsLeases = demands.some(({ lease }) => lease !== undefined);
    this.#demands = demands;
    this.#idempotency = options.idempotency;
    this.answerId = options.idempotency?.id;
    this.#receiptId = options.receiptId;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  apply(rows: Rows): void {
    const first = this.#idempotency && rows.answerOf(this.#idempotency.id);
    if (first !== undefined) {
      const isSame = first.body === this.#idempotency?.body;
      this.#consumed = isSame ? restoreDecision(first, this.#demands) : "key-reused";
      return;
    }
    const { nowMs } = rows;
    const rulings: Array<Ruling & { bucket: Bucket }> = [];
    const decision = combine(this.#demands, (bucket, { cost, lease }) => {
      const ruling = decide(bucket.policy, rows.stateOf(bucket), nowMs, cost, lease);
      rulings.push({ bucket, ...ruling });
      return ruling;
    });
    if (!decision.allowed) {
      this.#consumed = this.#rejected(rows, rulings);
      return;
    }
    for (const { bucket, state, resetAfterMs } of rulings) {
      rows.write(bucket, state, nowMs + resetAfterMs);
    }
    decision.charged = { receiptId: this.#receiptId, chargedAtMs: nowMs };
    this.#consumed = decision;
    if (this.#idempotency === undefined) return;
    rows.writeAnswer(this.#idempotency.id, {
      body: this.#idempotency.body,
      answer: storeDecision(decision),
      expiresMs: nowMs + ANSWER_KEPT_MS,
    });
  }

  /** Charges nothing; but a state from the future has to be brought back to now. */
  #rejected(rows: Rows, rulings: ReadonlyArray<Ruling & { bucket: Bucket }>): Decision {
    const { nowMs } = rows;
    for (const { bucket, allowed, state, resetAfterMs } of rulings) {
      if (allowed || state === rows.stateOf(bucket)) continue;
      rows.write(bucket, state, nowMs + resetAfterMs);
    }
    return combine(this.#demands, (bucket, { cost, lease }) =>
      look(bucket.policy, rows.stateOf(bucket), nowMs, cost, lease?.id),
    );
  }

  succeed(): void {
    this.isSettled = true;
    this.#resolve(this.#consumed);
  }

  fail(error: Error): void {
    this.isSettled = true;
    this.#reject(error);
  }
}
