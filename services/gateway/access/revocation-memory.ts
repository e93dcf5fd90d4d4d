import type { Grant } from "./grant.ts";
import { type Revocation, revokes } from "./revocation.ts";

/** More revocations than arrive while one subscribe waits for auth. */
const REVOCATIONS_REMEMBERED_MAX = 10_000;

/**
 * The last revocations heard, in order. They end a grant that auth gave before a revocation and
 * that becomes a subscription after it: the feed had no subscription to end yet.
 */
export class RevocationMemory {
  readonly #recent: Revocation[] = [];
  readonly #capacity: number;
  #heard = 0;

  constructor(capacity = REVOCATIONS_REMEMBERED_MAX) {
    this.#capacity = capacity;
  }

  /**
   * The number of revocations heard so far. A grant keeps the number from before auth was asked.
   */
  get heard(): number {
    return this.#heard;
  }

  remember(revocation: Revocation): void {
    this.#recent[this.#heard % this.#capacity] = revocation;
    this.#heard++;
  }

  /** Notes that revocations were missed: grants asked for before now cannot be checked. */
  lose(): void {
    this.#heard += this.#capacity + 1;
    this.#recent.length = 0;
  }

  /** Checks a grant against what was heard since; `unknown` if that was more than is remembered. */
  check(grant: Grant): "valid" | "revoked" | "unknown" {
    if (this.#heard - grant.heardUntil > this.#capacity) return "unknown";
    for (let index = grant.heardUntil; index < this.#heard; index++) {
      const revocation = this.#recent[index % this.#capacity];
      if (revocation !== undefined && revokes(revocation, grant)) return "revoked";
    }
    return "valid";
  }
}
