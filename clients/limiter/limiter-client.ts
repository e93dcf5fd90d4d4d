import type { BucketRequest } from "./bucket-request.ts";
import type { Verdict } from "./verdict.ts";

/** Consumes limits on behalf of one service. */
export type LimiterClient = {
  /** Takes from all of the buckets or from none. Never throws: every failure is a verdict. */
  consume(buckets: readonly BucketRequest[], options?: ConsumeOptions): Promise<Verdict>;
  /**
   * Returns what an allowed verdict took, all of it or only under the named policies. Best effort:
   * false when it could not be done, since an unrefunded charge errs on the strict side.
   */
  refund(receipt: string, policies?: readonly string[]): Promise<boolean>;
  /**
   * Extends leases by this TTL, from now. Answers those that are lost, or undefined when the
   * limiter could not be asked.
   */
  extend(leaseIds: readonly string[], ttlMs: number): Promise<readonly string[] | undefined>;
  /** Releases leases. Best effort: when false, they end with their TTL. */
  release(leaseIds: readonly string[]): Promise<boolean>;
  /** What happens now when there is no decision; changes when a fail-open period ends. */
  failureMode(): "fail-closed" | "fail-open";
  close(): void;
};

export type ConsumeOptions = {
  /** Fails closed, whatever the failure mode. */
  alwaysClosed?: boolean;
  /**
   * The request was chosen by a caller of this process. When the limiter finds fault with it, the
   * verdict carries the refusal, and nothing is reported as an outage or an error of this process.
   */
  isForwarded?: boolean;
};
