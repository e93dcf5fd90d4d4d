/** A connection whose request is not complete; its share key is unset for trusted proxies. */
export type Waiting = { readonly shareKey: string | undefined };

/**
 * The connections whose request is not complete, oldest first. When there are too many, the oldest
 * has to go: an honest client sends its request at once, so it is never among the oldest.
 */
export class WaitingConnections<T extends Waiting> {
  readonly #max: number;
  readonly #perAddressMax: number;
  readonly #all = new Set<T>();
  readonly #byAddress = new Map<string, Set<T>>();

  constructor(bounds: { waiting: number; waitingPerAddress: number }) {
    this.#max = bounds.waiting;
    this.#perAddressMax = bounds.waitingPerAddress;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Adds a connection; returns the one that has to go for it, and which bound was reached. */
  add(connection: T): { connection: T; bound: "address" | "total" } | undefined {
    this.#all.add(connection);
    const { shareKey } = connection;
    if (shareKey !== undefined) {
      const own = this.#byAddress.get(shareKey) ?? new Set<T>();
      this.#byAddress.set(shareKey, own.add(connection));
      const [oldest] = own;
      if (own.size > this.#perAddressMax && oldest !== undefined) {
        return { connection: oldest, bound: "address" };
      }
    }
    const [oldest] = this.#all;
    if (this.#all.size <= this.#max || oldest === undefined) return undefined;
    return { connection: oldest, bound: "total" };
  }

  delete(connection: T): void {
    this.#all.delete(connection);
    if (connection.shareKey === undefined) return;
    const own = this.#byAddress.get(connection.shareKey);
    own?.delete(connection);
    if (own?.size === 0) this.#byAddress.delete(connection.shareKey);
  }

  /** A copy of all waiting connections; they may be ended during a loop. */
  all(): T[] {
    return [...this.#all];
  }
}
