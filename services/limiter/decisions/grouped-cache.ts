/**
 * A bounded cache of values by group and key that forgets what was not used for long: when the
 * younger generation is full it becomes the older one, and the older one is dropped.
 */
export class GroupedCache<V> {
  readonly #generationBytesMax: number;
  readonly #bytesOf: (key: string, value: V) => number;
  #young = new Map<string, Map<string, V>>();
  #old = new Map<string, Map<string, V>>();
  #youngBytes = 0;

  /**
   * Holds at least what was used last and takes `generationBytesMax`, and at most twice as much.
   * `bytesOf` says how much memory a value takes together with its key.
   */
  constructor(generationBytesMax: number, bytesOf: (key: string, value: V) => number) {
    this.#generationBytesMax = generationBytesMax;
    this.#bytesOf = bytesOf;
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
    const bytes = this.#bytesOf(key, value);
    if (this.#youngBytes > 0 && this.#youngBytes + bytes > this.#generationBytesMax) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    const ofGroup = this.#young.get(group);
    if (ofGroup === undefined) this.#young.set(group, new Map([[key, value]]));
    else ofGroup.set(key, value);
    this.#youngBytes += bytes;
  }
}
