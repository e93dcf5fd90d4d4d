import type { Bucket, Lease, LimiterClient } from "./verdict.ts";

/** A bucket of a concurrency policy, with the lease that holds a place in it. */
export type LeasedBucket = Bucket & { lease: Lease };

/** As many leases as the limiter takes in one call. */
const CALL_LEASES_MAX = 1_000;
/** Leases that wait for their release at most; those beyond end with their TTL. */
const RELEASES_WAITING_MAX = 50_000;
/** Releases under way at once: a process that stops gives back tens of thousands in a moment. */
const RELEASE_CALLS_MAX = 4;
/** Renewals in one TTL: two may fail before a lease is lost. */
const RENEWALS_PER_TTL = 3;

/**
 * Keeps the leases of one process alive, and gives them back at once when they are no longer
 * needed. A lease that was lost, in an outage longer than its TTL, is taken anew; when its place is
 * taken by then, its holder is told.
 */
export class LeaseKeeper {
  readonly #limiter: Pick<LimiterClient, "consume" | "renew" | "release">;
  readonly #ttlMs: number;
  readonly #kept = new Map<string, { bucket: LeasedBucket; onTaken: () => void }>();
  readonly #releasing = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #isStopping = false;
  #renewing: Promise<void> | undefined;
  #released: Promise<void> | undefined;

  constructor(limiter: Pick<LimiterClient, "consume" | "renew" | "release">, ttlMs: number) {
    this.#limiter = limiter;
    this.#ttlMs = ttlMs;
    this.#timer = setInterval(() => void this.renew(), ttlMs / RENEWALS_PER_TTL).unref();
  }

  /** Keeps a lease that was acquired, until it is given back. */
  keep(bucket: LeasedBucket, onTaken: () => void): void {
    this.#kept.set(bucket.lease.id, { bucket, onTaken });
  }

  /** Gives a lease back, also one of which it is not known whether it was acquired. */
  giveBack(leaseId: string): void {
    this.#kept.delete(leaseId);
    if (this.#releasing.size < RELEASES_WAITING_MAX) this.#releasing.add(leaseId);
    this.#released ??= this.#release();
  }

  /** Renews all leases once; runs by itself several times in each TTL. */
  async renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  /** Gives everything back, and resolves when that is done or given up. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    // What is being taken anew must be there before it is given back.
    await this.#renewing;
    for (const id of [...this.#kept.keys()]) this.giveBack(id);
    await this.#released;
  }

  async #renew(): Promise<void> {
    const ids = [...this.#kept.keys()];
    for (let from = 0; from < ids.length && !this.#isStopping; from += CALL_LEASES_MAX) {
      const asked = ids.slice(from, from + CALL_LEASES_MAX).filter((id) => this.#kept.has(id));
      if (asked.length === 0) continue;
      const lost = await this.#limiter.renew(asked, this.#ttlMs);
      if (this.#isStopping) return;
      await Promise.all((lost ?? []).map((id) => this.#takeAnew(id)));
    }
  }

  async #takeAnew(leaseId: string): Promise<void> {
    const kept = this.#kept.get(leaseId);
    if (kept === undefined) return;
    const verdict = await this.#limiter.consume([kept.bucket]);
    // Meanwhile its holder may have gone; without a decision the next renewal tries again.
    if (!this.#kept.has(leaseId)) this.giveBack(leaseId);
    else if (verdict.kind === "rejected") kept.onTaken();
  }

  async #release(): Promise<void> {
    // What is given back in one go shall go in one call.
    await Promise.resolve();
    while (this.#releasing.size > 0) {
      const calls = Math.min(RELEASE_CALLS_MAX, Math.ceil(this.#releasing.size / CALL_LEASES_MAX));
      await Promise.all(Array.from({ length: calls }, () => this.#releaseInTurn()));
    }
    this.#released = undefined;
  }

  async #releaseInTurn(): Promise<void> {
    while (this.#releasing.size > 0) {
      const ids = [...this.#releasing].slice(0, CALL_LEASES_MAX);
      for (const id of ids) this.#releasing.delete(id);
      const isDone = await this.#limiter.release(ids);
      // Whoever stops does not wait for a limiter that is gone: each call would take its full time.
      if (!isDone && this.#isStopping) this.#releasing.clear();
    }
  }
}
