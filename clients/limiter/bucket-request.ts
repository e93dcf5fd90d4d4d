/** What a request asks of one bucket, which is a policy of the limiter applied to a key. */
export type BucketRequest = {
  policy: string;
  /** For policies keyed by address: the canonical address. */
  key: string;
  /** How much to take; 1 when unset. */
  cost?: number;
  /** Set when the address was derived with a warning. */
  doubtful?: boolean;
  /** For concurrency policies: the lease that holds the place. */
  lease?: Lease;
};

/** Holds a place of a concurrency policy until it is released or its TTL has passed. */
export type Lease = { id: string; ttlMs: number };
