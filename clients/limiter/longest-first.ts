/** Finds the longest of many queues without scanning all of them. */
export class LongestFirst<Queue> {
  readonly #byLength: Array<Set<Queue> | undefined> = [];

  /** Notes that the length of a queue has changed. */
  update(queue: Queue, fromLength: number, toLength: number): void {
    if (fromLength > 0) this.#byLength[fromLength]?.delete(queue);
    if (toLength > 0) this.#ofLength(toLength).add(queue);
    const last = this.#byLength.length - 1;
    if (this.#byLength[last]?.size === 0) this.#trim(last);
  }

  /** Among queues of equal length, the one that reached it first. */
  longest(): Queue | undefined {
    for (const queue of this.#byLength.at(-1) ?? []) return queue;
    return undefined;
  }

  #ofLength(length: number): Set<Queue> {
    const known = this.#byLength[length];
    if (known !== undefined) return known;
    const queues = new Set<Queue>();
    while (this.#byLength.length < length) this.#byLength.push(undefined);
    this.#byLength[length] = queues;
    return queues;
  }

  #trim(last: number): void {
    let length = last;
    while (length >= 0 && (this.#byLength[length]?.size ?? 0) === 0) length--;
    this.#byLength.length = length + 1;
  }
}
