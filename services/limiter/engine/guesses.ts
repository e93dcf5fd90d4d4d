/** Even where other replicas charge the same rows all the time, now and then one guess is made. */
const SKIPPED_MAX = 1_023;

/**
 * When it pays to decide on what is known of rows instead of reading them first: a wrong guess
 * costs a round trip, so after each one twice as many chances are passed over.
 */
export class Guesses {
  #toSkip = 0;
  #skipped = 0;

  /** Whether to guess this time. */
  isWorthIt(): boolean {
    if (this.#skipped >= this.#toSkip) return true;
    this.#skipped++;
    return false;
  }

  wasRight(): void {
    this.#toSkip >>= 1;
  }

  wasWrong(): void {
    this.#toSkip = Math.min(SKIPPED_MAX, 2 * this.#toSkip + 1);
    this.#skipped = 0;
  }
}
