import { setNewest } from "../../services/runtime/set-newest.ts";

/** The most names that are remembered; beyond, the oldest is dropped. */
const REMEMBERED_MAX = 10_000;
/** The longest that a rejection holds here, since a limit may be reset or raised meanwhile. */
const HOLDS_MS_MAX = 60_000;

/**
 * Remembers recent rejections: under overload, requests that would be rejected again are shed
 * first. Takes the time as an argument.
 */
export class RecentRejections {
  readonly #untilMs = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#untilMs.size === 0;
  }

  add(name: string, nowMs: number, retryAfterMs: number): void {
    const untilMs = nowMs + Math.min(retryAfterMs, HOLDS_MS_MAX);
    setNewest(this.#untilMs, name, untilMs, REMEMBERED_MAX);
  }

  forget(name: string): void {
    this.#untilMs.delete(name);
  }

  /** How long the rejection of a name still holds; 0 when it has ended. */
  leftMs(name: string, nowMs: number): number {
    const leftMs = (this.#untilMs.get(name) ?? nowMs) - nowMs;
    // The clock stepped back: the rejection would hold longer than it should.
    return leftMs > HOLDS_MS_MAX ? 0 : Math.max(0, leftMs);
  }
}
