import { metrics } from "@opentelemetry/api";

/** The place of one database backend, held until the backend is known to be gone. */
export type BackendPlace = {
  /** No caller waits for its answer any more, though the server may still work on it. */
  isAbandoned: boolean;
  free(): void;
};

const owners = new Set<BackendPlaces>();

/**
 * The fixed number of backends that one part of this process may hold. An abandoned connection
 * keeps its place, since its backend may live on and hold locks.
 */
export class BackendPlaces {
  /** From a closed set, since it labels the metric. */
  readonly name: string;
  readonly max: number;
  readonly #held = new Set<BackendPlace>();
  #onFree: () => void = () => undefined;

  constructor(name: string, max: number) {
    this.name = name;
    this.max = max;
    owners.add(this);
    observe();
  }

  get held(): number {
    return this.#held.size;
  }

  get abandoned(): number {
    return [...this.#held].filter((place) => place.isAbandoned).length;
  }

  /** Sets the function to call when a place becomes free. */
  onFree(listener: () => void): void {
    this.#onFree = listener;
  }

  /** Returns undefined if all places are held. */
  take(): BackendPlace | undefined {
    if (this.#held.size >= this.max) return undefined;
    const place: BackendPlace = {
      isAbandoned: false,
      free: () => {
        if (this.#held.delete(place)) this.#onFree();
      },
    };
    this.#held.add(place);
    return place;
  }
}

let isObserved = false;

/** Registers the gauge, once. It adds up pools of the same name. */
function observe(): void {
  if (isObserved) return;
  isObserved = true;
  metrics
    .getMeter("portcullis.database")
    .createObservableGauge("portcullis.database.connections", {
      description: "Backends of the database that are held, those that were given up included",
    })
    .addCallback((result) => {
      const names = new Set([...owners].map(({ name }) => name));
      for (const pool of names) {
        const same = [...owners].filter(({ name }) => name === pool);
        const abandoned = same.reduce((total, places) => total + places.abandoned, 0);
        const held = same.reduce((total, places) => total + places.held, 0);
        result.observe(held - abandoned, { pool, state: "used" });
        result.observe(abandoned, { pool, state: "abandoned" });
      }
    });
}
