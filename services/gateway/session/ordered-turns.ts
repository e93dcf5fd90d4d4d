/** Work that ends at once, or later. It reports its own failures. */
type Work = () => Promise<void> | undefined;

/**
 * Does the work of each key in the order of arrival, however long each piece takes. Work for
 * several keys starts when it is next for all of them; work that waits for nothing starts at once.
 */
export class OrderedTurns {
  /** When the newest work of a key ends; only keys with work in flight are here. */
  readonly #ends = new Map<string, Promise<void>>();
  #waiting = 0;

  /** How many pieces of work have not started. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether work for a key would have to wait. */
  isBusy(key: string): boolean {
    return this.#ends.has(key);
  }

  run(keys: readonly string[], work: Work): void {
    const before = new Set(keys.flatMap((key) => this.#ends.get(key) ?? []));
    const end = before.size === 0 ? work() : this.#after(before, work);
    if (end === undefined) return;
    const forget = () => {
      for (const key of keys) if (this.#ends.get(key) === settled) this.#ends.delete(key);
    };
    const settled = end.then(forget, forget);
    for (const key of keys) this.#ends.set(key, settled);
  }

  async #after(before: Iterable<Promise<void>>, work: Work): Promise<void> {
    this.#waiting++;
    await Promise.all(before);
    this.#waiting--;
    await work();
  }
}
