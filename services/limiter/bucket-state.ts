/** What a token bucket remembers: used units as of an instant. */
export type TokenBucketState = {
  kind: "token_bucket";
  used: number;
  atMs: number;
  /** How many units one token had when this was written: the policy's period then. */
  unit: number;
  /** Rejects until then whatever is left; 0 when not blocked. */
  blockedUntilMs: number;
};

/** What a fixed window remembers: the count of the window that began at an instant. */
export type FixedWindowState = {
  kind: "fixed_window";
  startMs: number;
  count: number;
  blockedUntilMs: number;
};

/** What a sliding window remembers: a ring of counts, the newest first. */
export type SlidingWindowState = {
  kind: "sliding_window";
  /** Which sub-window since the epoch is the newest. */
  index: number;
  subWindowMs: number;
  counts: readonly number[];
  blockedUntilMs: number;
};

/** One of the simultaneous things a concurrency policy counts. */
export type Lease = { id: string; expiresAtMs: number; ttlMs: number };

/** What a concurrency bucket remembers: who holds it. */
export type ConcurrencyState = {
  kind: "concurrency";
  leases: readonly Lease[];
  blockedUntilMs: number;
};

/** The state of a bucket; a bucket without one is full. */
export type BucketState =
  | TokenBucketState
  | FixedWindowState
  | SlidingWindowState
  | ConcurrencyState;

/** What a bucket says about taking a cost, without taking it. */
export type View = {
  allowed: boolean;
  /** How much could be taken now. */
  remaining: number;
  /** Until the cost could be taken; 0 when it could be taken now. */
  retryAfterMs: number;
  /** Until the bucket is full. */
  resetAfterMs: number;
};

/** A decision about one bucket, and the bucket after it. */
export type Ruling = View & {
  /** The very state that was passed in when nothing has to be written. */
  state: BucketState | undefined;
};
