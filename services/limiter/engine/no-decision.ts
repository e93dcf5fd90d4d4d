/** Why nothing could be decided. */
export type NoDecisionReason = "overloaded" | "timeout" | "database" | "draining";

/** Nobody could decide: never an answer, always an error. */
export class NoDecisionError extends Error {
  override name = "NoDecisionError";
  readonly reason: NoDecisionReason;

  constructor(reason: NoDecisionReason, cause?: unknown) {
    super(`no decision: ${reason}`, { cause });
    this.reason = reason;
  }
}
