import type { LimiterClient } from "./limiter-client.ts";
import { Place, type PlaceKeeper } from "./place.ts";
import { CALL_LEASES_MAX, ReleaseQueue } from "./release-queue.ts";

/** Extensions in one TTL: two may fail before a lease is lost. */
const EXTENSIONS_PER_TTL = 3;

/**
 * Creates the places of one process and extends the leases of those that are held. A lease that was
 * lost, in an outage longer than its TTL, is acquired again.
 */
export class LeaseKeeper {
  readonly #limiter: Pick<LimiterClient, "consume" | "extend" | "release">;
  readonly #ttlMs: number;
  /** Every place that is not released yet. */
  readonly #places = new Set<Place>();
  readonly #releases: ReleaseQueue;
  readonly #placeKeeper: PlaceKeeper;
  readonly #timer: NodeJS.Timeout;
  #isStopping = false;
  #extending: Promise<void> | undefined;

  constructor(limiter: Pick<LimiterClient, "consume" | "extend" | "release">, ttlMs: number) {
    this.#limiter = limiter;
    this.#ttlMs = ttlMs;
    this.#releases = new ReleaseQueue(limiter);
    this.#placeKeeper = {
      limiter,
      releaseLease: (leaseId) => this.#releases.add(leaseId),
      forget: (place) => void this.#places.delete(place),
    };
    this.#timer = setInterval(() => void this.extend(), ttlMs / EXTENSIONS_PER_TTL).unref();
  }

  /** Creates a place that nothing was asked for yet. Its owner must release it. */
  createPlace(leaseId: string): Place {
    const place = new Place({ id: leaseId, ttlMs: this.#ttlMs }, this.#placeKeeper);
    this.#places.add(place);
    return place;
  }

  /** Extends all leases once; runs by itself several times in each TTL. */
  async extend(): Promise<void> {
    this.#extending ??= this.#extend().finally(() => {
      this.#extending = undefined;
    });
    await this.#extending;
  }

  /** Releases every place, and resolves when that is done or given up. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    // A lease that is being acquired again can be released only after that.
    await this.#extending;
    for (const place of [...this.#places]) place.release();
    await this.#releases.stop();
  }

  async #extend(): Promise<void> {
    const held = [...this.#places].filter(({ isHeld }) => isHeld);
    for (let from = 0; from < held.length && !this.#isStopping; from += CALL_LEASES_MAX) {
      // Some may have been released while an earlier call was in flight.
      const asked = held.slice(from, from + CALL_LEASES_MAX).filter(({ isHeld }) => isHeld);
      if (asked.length === 0) continue;
      const ids = asked.map(({ lease }) => lease.id);
      const lost = new Set(await this.#limiter.extend(ids, this.#ttlMs));
      if (this.#isStopping) return;
      const lostPlaces = asked.filter(({ lease }) => lost.has(lease.id));
      await Promise.all(lostPlaces.map((place) => place.reacquire()));
    }
  }
}
