import { setNewest } from "../set-newest.ts";

/**
 * Wrong tokens that one address may show: far too few to guess a token, and enough for a tool that
 * checks that every door refuses a wrong one.
 */
const TRIES_BURST = 120;
const TRIES_PER_MINUTE = 120;
/** Addresses remembered. The one counted least recently is dropped first. */
const ADDRESSES_MAX = 10_000;

const MS_PER_TRY = 60_000 / TRIES_PER_MINUTE;

/**
 * Counts wrong tokens by address. Never delays a right token: the way in finds the caller before it
 * counts anything.
 */
export class FailedTries {
  /** For each address, when its tries will be fully refilled, in milliseconds. */
  readonly #fullAtMs = new Map<string, number>();

  /** Counts one try. Returns how many milliseconds the address must wait; 0 if it may go on. */
  add(address: string, nowMs: number): number {
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(address) ?? 0);
    const waitMs = fullAtMs + MS_PER_TRY - nowMs - TRIES_BURST * MS_PER_TRY;
    if (waitMs > 0) return waitMs;
    setNewest(this.#fullAtMs, address, fullAtMs + MS_PER_TRY, ADDRESSES_MAX);
    return 0;
  }
}
