import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Clock } from "../../runtime/clock.ts";
import { setNewest } from "../../runtime/set-newest.ts";

/** The most addresses that are remembered: more than a sane overload refuses in a minute. */
export const REFUSALS_REMEMBERED_MAX = 10_000;
/** Long enough for a browser that learns of a failed upgrade to ask why. */
export const REFUSALS_REMEMBERED_MS = 60_000;

/** Why an upgrade was refused, as in its HTTP answer. */
export type UpgradeRefusal = {
  status: 429 | 503;
  code: "rate_limited" | "unavailable";
  retryAfterMs: number;
};

/**
 * Remembers the last refused upgrade of each address for a short time. A browser hides the answer
 * to a failed upgrade from its page, so the page asks for it afterwards.
 */
export class RecentRefusals {
  readonly #clock: Clock;
  readonly #max: number;
  /** By client; the oldest is first. */
  readonly #known = new Map<string, { refusal: UpgradeRefusal; atMs: number }>();

  constructor(clock: Clock, max = REFUSALS_REMEMBERED_MAX) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#known.size;
  }

  remember(client: ClientIp, refusal: UpgradeRefusal): void {
    const entry = { refusal, atMs: this.#clock.nowMs() };
    setNewest(this.#known, keyOf(client), entry, this.#max);
  }

  /** The last refusal, with the rest of its wait. */
  recall(client: ClientIp): UpgradeRefusal | undefined {
    const known = this.#known.get(keyOf(client));
    if (known === undefined) return undefined;
    const ageMs = Math.max(0, this.#clock.nowMs() - known.atMs);
    if (ageMs > REFUSALS_REMEMBERED_MS) {
      this.#known.delete(keyOf(client));
      return undefined;
    }
    const retryAfterMs = Math.max(0, Math.ceil(known.refusal.retryAfterMs - ageMs));
    return { ...known.refusal, retryAfterMs };
  }
}

/** A doubtful address gets a key of its own: it may belong to another, honest client. */
function keyOf({ ip, warning }: ClientIp): string {
  return warning === undefined ? ip : `doubtful ${ip}`;
}
