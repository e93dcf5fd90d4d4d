import type { Lineage } from "./lineage.ts";

type StateBase = {
  /** Which beginning of the bucket this is, so that charges made before it are told apart. */
  lineage: Lineage;
  /** Rejects until then whatever is left; 0 when not blocked. */
  blockedUntilMs: number;
  /** How long the block lasts that began then; 0 when that is not known. */
  blockMs: number;
};

/** What a token bucket remembers: used units as of an instant. */
export type TokenBucketState = StateBase & {
  kind: "token_bucket";
  used: number;
  atMs: number;
  /** How many units one token had when this was written: the policy's period then. */
  unit: number;
  /** How many units refilled each millisecond then: the policy's limit. */
  rate: number;
  /** What has refilled since the beginning beyond what the rate says, in units. */
  drift: number;
};

/** What a fixed window remembers: the count of the window that began at an instant. */
export type FixedWindowState = StateBase & {
  kind: "fixed_window";
  startMs: number;
  count: number;
  /** How many windows with charges came before. */
  position: number;
};

/** What a sliding window remembers: a ring of counts, the newest first. */
export type SlidingWindowState = StateBase & {
  kind: "sliding_window";
  /** Which sub-window since the epoch is the newest. */
  index: number;
  subWindowMs: number;
  counts: readonly number[];
  /** How far the ring has moved since the beginning: the place of its newest count. */
  position: number;
  /** Counts of these places were put together at the last of them, when the period changed. */
  foldedFrom: number;
  foldedTo: number;
};

/** One of the simultaneous things a concurrency policy counts. */
export type Lease = {
  id: string;
  expiresAtMs: number;
  ttlMs: number;
  /** Which taking of the lease this is: one that ended and was taken anew has another number. */
  number: number;
};

/** What a concurrency bucket remembers: who holds it. */
export type ConcurrencyState = StateBase & {
  kind: "concurrency";
  leases: readonly Lease[];
  /** The number of the lease taken last. */
  taken: number;
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
