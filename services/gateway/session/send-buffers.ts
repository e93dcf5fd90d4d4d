/** What all slow readers together may hold of this process's memory. */
export const BUFFERED_TOTAL_BYTES_MAX = 256 * 1024 * 1024;

/** How many bytes wait for all clients together. */
export class SendBuffers {
  readonly #max: number;
  #total = 0;

  constructor(max = BUFFERED_TOTAL_BYTES_MAX) {
    this.#max = max;
  }

  get total(): number {
    return this.#total;
  }

  /** Whether slow readers have to do with less than usual. */
  get isFull(): boolean {
    return this.#total >= this.#max;
  }

  /** Notes that a client had one amount waiting, and now has another. */
  change(before: number, now: number): void {
    this.#total += now - before;
  }
}
