import { DECISIONS, type FrameBudget, fullFrameBudget, takeFrame } from "./frame-budget.ts";

/** The shortest wait that a client is told; most promises are due by then. */
const WAIT_MS_MIN = 1_000;

/**
 * How many decisions one session may still ask for. Each refused request is promised a decision of
 * its own, so that requests refused together get different waits.
 */
export class DecisionBudget {
  #budget: FrameBudget;
  /** When the last promised decision is due. */
  #promisedUntilMs = 0;

  constructor(nowMs: number) {
    this.#budget = fullFrameBudget(nowMs, DECISIONS);
  }

  /** Takes this many decisions, or none; returns how long to wait for them, or 0 when taken. */
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
    // No promise reaches beyond the time at which the budget is full again.
    const promisedMs = Math.min(Math.max(waitMs, turnMs), (burst * 1_000) / perSecond);
    this.#promisedUntilMs = nowMs + promisedMs;
    return Math.max(WAIT_MS_MIN, Math.ceil(promisedMs));
  }
}
