/**
 * A bounded cache of values by group and key that forgets what was not used for long: when the
 * younger generation is full it becomes the older one, and the older one is dropped.
 */
export class GroupedCache<V> {
  readonly #generationMax: number;
  #young = new Map<string, Map<string, V>>();
  #old = new Map<string, Map<string, V>>();
  #youngSize = 0;

  /** Holds at least the last `generationMax` values used, and at most twice as many. */
  constructor(generationMax: number) {
    this.#generationMax = generationMax;
  }

  get(group: string, key: string): V | undefined {
    const young = this.#young.get(group)?.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(group)?.get(key);
    if (old !== undefined) this.set(group, key, old);
    return old;
  }

  /** Adds a value that `get` did not find. */
  set(group: string, key: string, value: V): void {
    if (this.#youngSize >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngSize = 0;
    }
    const ofGroup = this.#young.get(group);
    if (ofGroup === undefined) this.#young.set(group, new Map([[key, value]]));
    else ofGroup.set(key, value);
    this.#youngSize++;
  }
}
