import { setNewest } from "../../runtime/set-newest.ts";

/** More networks than sign in at one process within days; each takes about 100 bytes. */
const NETWORKS_MAX = 10_000;

/**
 * Networks that the database lately called known. A hint: their next lookup does not queue with
 * those of strangers. The database still decides whether they are known.
 */
export class RecentNetworks {
  /** In the order in which they were last seen. */
  readonly #digests = new Map<string, true>();

  add(digests: readonly Buffer[]): void {
    const [first] = digests;
    if (first === undefined) return;
    setNewest(this.#digests, first.toString("hex"), true, NETWORKS_MAX);
  }

  has(digests: readonly Buffer[]): boolean {
    const [first] = digests;
    return first !== undefined && this.#digests.has(first.toString("hex"));
  }
}
