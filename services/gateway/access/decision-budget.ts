import { DECISIONS, type FrameBudget, fullFrameBudget, takeFrame } from "./frame-budget.ts";

/** A client that is told to wait does not come back sooner; most promises are due by then. */
const WAIT_MS_MIN = 1_000;

/**
 * How many decisions one session may still ask for. Whoever is refused is promised the next one
 * that is left: refused together, they are not all told to come back for the same one.
 */
export class DecisionBudget {
  #budget: FrameBudget;
  /** When all that was promised has become free. */
  #promisedUntilMs = 0;

  constructor(nowMs: number) {
    this.#budget = fullFrameBudget(nowMs, DECISIONS);
  }

  /** Takes so many decisions, or none: 0 when they were taken, else how long to wait for them. */
  take(nowMs: number, count: number): number {
    const taken = takeFrame(this.#budget, nowMs, DECISIONS, count);
    if (taken !== undefined) {
      this.#budget = taken;
      return 0;
    }
    const { burst, perSecond } = DECISIONS;
    const elapsedMs = Math.max(0, nowMs - this.#budget.atMs);
    const left = Math.min(burst, this.#budget.frames + (elapsedMs * perSecond) / 1_000);
    const waitMs = ((count - left) * 1_000) / perSecond;
    const aheadMs = this.#promisedUntilMs - nowMs;
    const turnMs = aheadMs > 0 ? aheadMs + (count * 1_000) / perSecond : 0;
    // By then the budget is full again, whatever was promised.
    const promisedMs = Math.min(Math.max(waitMs, turnMs), (burst * 1_000) / perSecond);
    this.#promisedUntilMs = nowMs + promisedMs;
    return Math.max(WAIT_MS_MIN, Math.ceil(promisedMs));
  }
}
