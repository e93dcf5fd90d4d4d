/** The memory that the data of all slow readers together may hold. */
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

  /** Whether the lower bounds for slow readers apply. */
  get isFull(): boolean {
    return this.#total >= this.#max;
  }

  /** Notes how many bytes waited for a client before, and how many wait now. */
  change(before: number, now: number): void {
    this.#total += now - before;
  }
}
