import { setNewest } from "../../runtime/set-newest.ts";
import type { LeaseRequest } from "../rules/decide.ts";

/** More leases than one process is asked to keep in the shadow; the oldest make room. */
const LEASES_MAX = 100_000;

/**
 * Leases that a shadow would have rejected. Their holders go on and ask again in each TTL, as for
 * any lease that was lost: that is one rejection, however long they stay.
 */
export class WouldBeRejections {
  readonly #untilMs = new Map<string, number>();

  /** Whether a rejection is the first one of a lease, which is remembered for its TTL. */
  isFirst(policy: string, { id, ttlMs }: LeaseRequest, nowMs: number): boolean {
    const name = `${policy} ${id}`;
    const untilMs = this.#untilMs.get(name) ?? Number.NEGATIVE_INFINITY;
    setNewest(this.#untilMs, name, nowMs + ttlMs, LEASES_MAX);
    return untilMs <= nowMs;
  }
}
