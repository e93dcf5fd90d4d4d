import { setNewest } from "../set-newest.ts";

/**
 * Wrong tokens that one address may show: far fewer than any guess needs, and enough for a tool that
 * asks every door with a wrong one to see it refused.
 */
const TRIES_BURST = 120;
const TRIES_PER_MINUTE = 120;
/** Addresses remembered at most; the one remembered longest makes room. */
const ADDRESSES_MAX = 10_000;

const MS_PER_TRY = 60_000 / TRIES_PER_MINUTE;

/**
 * Counts wrong tokens by address. A right one is never held up: whoever shows it is known before
 * anything is counted.
 */
export class FailedTries {
  /** When the tries of an address will have refilled, in milliseconds. */
  readonly #fullAtMs = new Map<string, number>();

  /** Counts one; answers how long the address has to wait, 0 while it may go on. */
  add(address: string, nowMs: number): number {
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(address) ?? 0);
    const waitMs = fullAtMs + MS_PER_TRY - nowMs - TRIES_BURST * MS_PER_TRY;
    if (waitMs > 0) return waitMs;
    setNewest(this.#fullAtMs, address, fullAtMs + MS_PER_TRY, ADDRESSES_MAX);
    return 0;
  }
}
