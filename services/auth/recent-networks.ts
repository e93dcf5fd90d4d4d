/** Networks of as many clients as sign in at one process within days; each takes about 100 bytes. */
const NETWORKS_MAX = 10_000;

/**
 * The networks that this process has lately seen to be known. Only a hint, so that their next look
 * into the database need not queue with strangers: the database decides whether they are.
 */
export class RecentNetworks {
  readonly #digests = new Set<string>();

  add(digests: readonly Buffer[]): void {
    const [first] = digests;
    if (first === undefined) return;
    const name = first.toString("hex");
    this.#digests.delete(name);
    this.#digests.add(name);
    if (this.#digests.size <= NETWORKS_MAX) return;
    for (const oldest of this.#digests) {
      this.#digests.delete(oldest);
      return;
    }
  }

  has(digests: readonly Buffer[]): boolean {
    const [first] = digests;
    return first !== undefined && this.#digests.has(first.toString("hex"));
  }
}
