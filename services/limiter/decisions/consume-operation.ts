import type { Bucket } from "../engine/bucket.ts";
import type { Operation, Rows } from "../engine/operation.ts";
import { countDecision, type Events } from "../events.ts";
import type { Ruling } from "../rules/bucket-state.ts";
import { decide, look, stands } from "../rules/decide.ts";
import { type Mark, markOf } from "../rules/mark.ts";
import { ANSWER_KEPT_MS } from "../store/answer-kept.ts";
import type { RowId } from "../store/store.ts";
import {
  bucketsOf,
  type Charged,
  chargesOf,
  combine,
  type Decision,
  type Demand,
  lookAtDemands,
} from "./decision.ts";
import { restoreDecision, storeDecision } from "./stored-answer.ts";

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
  readonly #follows: { isRepeated: boolean } | undefined;
  readonly #resolve: (consumed: Consumed) => void;
  readonly #reject: (error: Error) => void;
  #consumed: Consumed = "key-reused";

  constructor(
    demands: readonly Demand[],
    options: {
      events: Events;
      idempotency: Idempotency | undefined;
      receiptId: RowId;
      /**
       * For a shadow, the answer to the rest of its request, which has the same receipt: one that is
       * repeated is no reason to charge the shadow.
       */
      follows?: { isRepeated: boolean } | undefined;
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
    this.#follows = options.follows;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  get answerId(): RowId | undefined {
    return this.#idempotency?.id;
  }

  apply(rows: Rows): void {
    const first = this.#findAnswer(rows);
    if (first !== undefined && first !== "broken") {
      this.#consumed = first;
      return;
    }
    if (first === undefined && this.#follows?.isRepeated) {
      this.#consumed = { ...this.#look(rows), isRepeated: true };
      return;
    }
    const rulings = this.#decide(rows);
    const decision = combine(this.demands, rulings);
    this.#consumed = decision.allowed
      ? this.#allow(rows, decision, rulings)
      : this.#refuse(rows, decision, rulings);
  }

  /** What was answered before, and whether what that promised is so no more. */
  #findAnswer(rows: Rows): Consumed | "broken" | undefined {
    const { id, body } = this.#idempotency ?? {};
    const stored = id === undefined ? undefined : rows.answerOf(id);
    if (stored === undefined || stored.expiresMs <= rows.nowMs) return undefined;
    if (stored.body !== body) return "key-reused";
    if (this.#follows !== undefined && stored.receiptId !== this.#receiptId) return "broken";
    const decision = restoreDecision(stored, this.demands);
    return decision && this.#stands(rows, decision.charged) ? decision : "broken";
  }

  #stands(rows: Rows, charged: Charged | undefined): boolean {
    if (charged === undefined) return true;
    if (rows.isRefunded(charged.receiptId)) return false;
    return chargesOf(charged).every(({ bucket, charge }) =>
      stands(bucket.policy, rows.stateOf(bucket), rows.nowMs, charge),
    );
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
      marks: this.#marksOf(rulings),
    };
    if (this.#idempotency !== undefined) {
      rows.writeAnswer(this.#idempotency.id, {
        body: this.#idempotency.body,
        answer: storeDecision(decision),
        receiptId: this.#receiptId,
        expiresMs: nowMs + ANSWER_KEPT_MS,
      });
    }
    return decision;
  }

  #marksOf(rulings: readonly Ruling[]): Mark[] {
    const marks: Mark[] = [];
    for (const { target, lease } of this.demands) {
      for (let row = 0; row < target.buckets.length; row++) {
        marks.push(markOf(rulings[marks.length]?.state, lease?.id));
      }
    }
    return marks;
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
    return this.#look(rows);
  }

  #look(rows: Rows): Decision {
    const views = lookAtDemands(this.demands, (bucket, { cost, lease }) =>
      look(bucket.policy, rows.stateOf(bucket), rows.nowMs, cost, lease?.id),
    );
    return combine(this.demands, views);
  }

  succeed(): void {
    this.isSettled = true;
    const consumed = this.#consumed;
    // A retry is no decision of its own.
    if (consumed !== "key-reused" && consumed.isRepeated !== true) {
      countDecision(this.#events, this.demands, consumed);
    }
    this.#resolve(this.#consumed);
  }

  fail(error: Error): void {
    this.isSettled = true;
    for (const { target } of this.demands) this.#events.decided(target.policy.name, "no-decision");
    this.#reject(error);
  }
}
