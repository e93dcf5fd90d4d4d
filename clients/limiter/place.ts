import type { BucketRequest, Lease } from "./bucket-request.ts";
import type { LimiterClient } from "./limiter-client.ts";
import type { Verdict } from "./verdict.ts";

/** What a place needs of the keeper that created it. */
export type PlaceKeeper = {
  limiter: Pick<LimiterClient, "consume">;
  /** Releases the lease of a place in the background. */
  releaseLease(leaseId: string): void;
  /** Told once, when the place is released. */
  forget(place: Place): void;
};

/**
 * One place of a concurrency policy, such as one of the connections that an address may have. It
 * has one owner at a time, who releases it. `release` may be called at any time and more than once,
 * also while the limiter is still deciding: whatever the limiter has given is released.
 */
export class Place {
  readonly lease: Lease;
  readonly #keeper: PlaceKeeper;
  /** What was asked of the concurrency policy; asked again when the lease was lost. */
  #request: BucketRequest | undefined;
  /** Whether the limiter may have given the place. */
  #isGiven = false;
  #isReleased = false;
  #onTaken: (() => void) | undefined;

  constructor(lease: Lease, keeper: PlaceKeeper) {
    this.lease = lease;
    this.#keeper = keeper;
  }

  /** Whether the keeper has to extend the lease. */
  get isHeld(): boolean {
    return this.#onTaken !== undefined && !this.#isReleased;
  }

  /** Asks for the place and takes from other buckets, all or none. */
  async acquire(request: BucketRequest, others: readonly BucketRequest[]): Promise<Verdict> {
    this.#request = { ...request, lease: this.lease };
    return await this.#ask([...others, this.#request]);
  }

  /**
   * Keeps the place until it is released. Calls `onTaken` when the lease was lost, in an outage
   * longer than its TTL, and others have taken the place by then.
   */
  hold(onTaken: () => void): void {
    this.#onTaken = onTaken;
  }

  /** Acquires the place again after its lease was lost. */
  async reacquire(): Promise<void> {
    if (!this.isHeld || this.#request === undefined) return;
    const verdict = await this.#ask([this.#request]);
    // Without a decision the keeper tries again the next time.
    if (verdict.kind === "rejected" && this.isHeld) this.#onTaken?.();
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#keeper.forget(this);
    if (this.#isGiven) this.#keeper.releaseLease(this.lease.id);
  }

  async #ask(buckets: readonly BucketRequest[]): Promise<Verdict> {
    // Also true if no answer comes: the limiter may have decided all the same.
    this.#isGiven = true;
    const verdict = await this.#keeper.limiter.consume(buckets);
    if (verdict.kind === "rejected" && !verdict.isFailOpen) this.#isGiven = false;
    // The lease was released too early: the limiter gave the place after that.
    else if (this.#isReleased) this.#keeper.releaseLease(this.lease.id);
    return verdict;
  }
}
