/** One bucket to consume: a policy of the limiter applied to a key. */
export type Bucket = {
  policy: string;
  /** For policies keyed by address: the canonical address. */
  key: string;
  /** How much to take; 1 when unset. */
  cost?: number;
  /** The address was derived with a warning. */
  doubtful?: boolean;
  /** For concurrency policies: who holds the place. */
  lease?: Lease;
};

/** A place of a concurrency policy, held until it is released or its TTL has passed. */
export type Lease = { id: string; ttlMs: number };

/** What a caller may do now. There is no fourth case, and none of them is permissive by accident. */
export type Verdict =
  /** Proceed; the charge is committed, or made in this process while failing open. */
  | { kind: "allowed"; receipt: string; remaining: number; isFailOpen: boolean }
  /** Over a limit: refuse with 429 and this wait. */
  | { kind: "rejected"; policy: string; retryAfterMs: number; isFailOpen: boolean }
  /**
   * Nobody could decide: refuse with 503 and this wait. Where the request itself is why, asking again
   * is of no use, and whoever sent it can be told so.
   */
  | { kind: "no-decision"; retryAfterMs: number; refusal?: Refusal };

/** What the limiter finds wrong with a request, whenever it is asked. */
export type Refusal = {
  code: "invalid_argument" | "not_found";
  /** The field, as a caller of this process knows it. */
  field: string;
  problem: string;
};

/** Consumes limits on behalf of one service. */
export type LimiterClient = {
  /**
   * Takes from all of the buckets or from none. Never throws: every failure is a verdict. With
   * `alwaysClosed` no decision stays none, whatever the failure mode. With `isForwarded` what is asked
   * for is somebody else's choice: what the limiter finds wrong with it is the verdict's refusal, and
   * neither an outage nor an error of this process.
   */
  consume(
    buckets: readonly Bucket[],
    options?: { alwaysClosed?: boolean; isForwarded?: boolean },
  ): Promise<Verdict>;
  /**
   * Gives back what an allowed verdict took, all of it or only under the named policies. Best
   * effort: false when it could not be done, since an unrefunded charge errs on the strict side.
   */
  refund(receipt: string, policies?: readonly string[]): Promise<boolean>;
  /**
   * Puts off the end of leases by their TTL; answers those that are lost, or undefined when the
   * limiter could not be asked.
   */
  renew(leaseIds: readonly string[], ttlMs: number): Promise<readonly string[] | undefined>;
  /** Gives places back. Best effort: when false, the leases end with their TTL. */
  release(leaseIds: readonly string[]): Promise<boolean>;
  /** What happens now when no decision can be had; changes when a fail-open period ends. */
  failureMode(): "fail-closed" | "fail-open";
  close(): void;
};
