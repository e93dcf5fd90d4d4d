import type { LimiterClient } from "./limiter-client.ts";

/** The most leases that the limiter takes in one call. */
export const CALL_LEASES_MAX = 1_000;
/** Leases that may wait for their release; those beyond end with their TTL. */
const WAITING_MAX = 50_000;
/** Calls in flight: a process that stops releases tens of thousands of leases in a moment. */
const CALLS_MAX = 4;

/** Releases leases in the background, many in one call. */
export class ReleaseQueue {
  readonly #limiter: Pick<LimiterClient, "release">;
  readonly #waiting = new Set<string>();
  #isStopping = false;
  #emptied: Promise<void> | undefined;

  constructor(limiter: Pick<LimiterClient, "release">) {
    this.#limiter = limiter;
  }

  add(leaseId: string): void {
    if (this.#waiting.size < WAITING_MAX) this.#waiting.add(leaseId);
    this.#emptied ??= this.#empty();
  }

  /** Resolves when every lease is released. The first call that fails ends the wait. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#emptied;
  }

  async #empty(): Promise<void> {
    // One turn later, so that leases released in the same moment share a call.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const calls = Math.min(CALLS_MAX, Math.ceil(this.#waiting.size / CALL_LEASES_MAX));
      await Promise.all(Array.from({ length: calls }, () => this.#callUntilEmpty()));
    }
    this.#emptied = undefined;
  }

  async #callUntilEmpty(): Promise<void> {
    while (this.#waiting.size > 0) {
      const ids = [...this.#waiting].slice(0, CALL_LEASES_MAX);
      for (const id of ids) this.#waiting.delete(id);
      const isDone = await this.#limiter.release(ids);
      // A limiter that is gone would let every call take its full time.
      if (!isDone && this.#isStopping) this.#waiting.clear();
    }
  }
}
