/** What a caller may do now. No case is permissive by accident, and there is no fourth. */
export type Verdict =
  /** Proceed. The charge is committed, or made in this process while failing open. */
  | { kind: "allowed"; receipt: string; remaining: number; isFailOpen: boolean }
  /** Over a limit: refuse with 429 and this wait. */
  | { kind: "rejected"; policy: string; retryAfterMs: number; isFailOpen: boolean }
  /**
   * Nobody could decide: refuse with 503 and this wait. With a `refusal` the request itself is
   * wrong: its sender can be told so, and asking again is of no use.
   */
  | { kind: "no-decision"; retryAfterMs: number; refusal?: Refusal };

/** What is wrong with a request. The limiter would refuse it at any time. */
export type Refusal = {
  code: "invalid_argument" | "not_found";
  /** The field, as a caller of this process knows it. */
  field: string;
  problem: string;
};
