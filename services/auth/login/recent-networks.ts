import { setNewest } from "../../runtime/set-newest.ts";

/** Networks of as many clients as sign in at one process within days; each takes about 100 bytes. */
const NETWORKS_MAX = 10_000;

/**
 * The networks that this process has lately seen to be known. Only a hint, so that their next look
 * into the database need not queue with strangers: the database decides whether they are.
 */
export class RecentNetworks {
  /** The network seen last is last. */
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
