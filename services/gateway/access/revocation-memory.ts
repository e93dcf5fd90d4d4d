import type { Grant } from "./grant.ts";
import { type Revocation, revokes } from "./revocation.ts";

/** More revocations than can arrive while one subscribe waits for auth, in any sane outage. */
const REVOCATIONS_REMEMBERED_MAX = 10_000;

/**
 * The last revocations heard, in order. A grant that auth gave before a revocation, but that is put
 * to use after it, is caught here: the feed itself had nothing to end yet.
 */
export class RevocationMemory {
  readonly #recent: Revocation[] = [];
  readonly #capacity: number;
  #heard = 0;

  constructor(capacity = REVOCATIONS_REMEMBERED_MAX) {
    this.#capacity = capacity;
  }

  /** How many revocations were heard so far; a grant notes it before auth is asked. */
  get heard(): number {
    return this.#heard;
  }

  remember(revocation: Revocation): void {
    this.#recent[this.#heard % this.#capacity] = revocation;
    this.#heard++;
  }

  /** Admits that something was missed: no grant asked for before now can be checked. */
  lose(): void {
    this.#heard += this.#capacity + 1;
    this.#recent.length = 0;
  }

  /** What became of a grant since it was asked for; `unknown` when too much was heard since. */
  check(grant: Grant): "valid" | "revoked" | "unknown" {
    if (this.#heard - grant.heardUntil > this.#capacity) return "unknown";
    for (let index = grant.heardUntil; index < this.#heard; index++) {
      const revocation = this.#recent[index % this.#capacity];
      if (revocation !== undefined && revokes(revocation, grant)) return "revoked";
    }
    return "valid";
  }
}
