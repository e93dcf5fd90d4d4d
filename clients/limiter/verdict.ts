/** One bucket to consume: a policy of the limiter applied to a key. */
export type Bucket = {
  policy: string;
  /** For policies keyed by address: the canonical address. */
  key: string;
  /** How much to take; 1 when unset. */
  cost?: number;
  /** The address was derived with a warning. */
  doubtful?: boolean;
};

/** What a caller may do now. There is no fourth case, and none of them is permissive by accident. */
export type Verdict =
  /** Proceed; the charge is committed, or made in this process while failing open. */
  | { kind: "allowed"; receipt: string; remaining: number; isFailOpen: boolean }
  /** Over a limit: refuse with 429 and this wait. */
  | { kind: "rejected"; policy: string; retryAfterMs: number; isFailOpen: boolean }
  /** Nobody could decide: refuse with 503 and this wait. */
  | { kind: "no-decision"; retryAfterMs: number };

/** Consumes limits on behalf of one service. */
export type LimiterClient = {
  /** Takes from all of the buckets or from none. Never throws: every failure is a verdict. */
  consume(buckets: readonly Bucket[]): Promise<Verdict>;
  /**
   * Gives back what an allowed verdict took, all of it or only under the named policies. Best
   * effort: false when it could not be done, since an unrefunded charge errs on the strict side.
   */
  refund(receipt: string, policies?: readonly string[]): Promise<boolean>;
  /** What happens now when no decision can be had; changes when a fail-open period ends. */
  failureMode(): "fail-closed" | "fail-open";
  close(): void;
};
