import { setNewest } from "../../services/runtime/set-newest.ts";

/** As many keys as are remembered; of more than that the oldest is forgotten. */
const REMEMBERED_MAX = 10_000;
/** A limit may be reset or raised: no rejection is believed for longer, however long its wait. */
const BELIEVED_MS_MAX = 60_000;

/**
 * Remembers who was rejected a moment ago: with too much to do, their requests are the first that
 * can be done without. Takes the time as an argument.
 */
export class RecentRejections {
  readonly #untilMs = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#untilMs.size === 0;
  }

  add(name: string, nowMs: number, retryAfterMs: number): void {
    const untilMs = nowMs + Math.min(retryAfterMs, BELIEVED_MS_MAX);
    setNewest(this.#untilMs, name, untilMs, REMEMBERED_MAX);
  }

  forget(name: string): void {
    this.#untilMs.delete(name);
  }

  /** How long the rejection of a name still holds; 0 when it does not. */
  leftMs(name: string, nowMs: number): number {
    const leftMs = (this.#untilMs.get(name) ?? nowMs) - nowMs;
    // A clock that stepped back would make it hold for longer than it was given for.
    return leftMs > BELIEVED_MS_MAX ? 0 : Math.max(0, leftMs);
  }
}
