import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";

/** How long the result of one check is valid. */
const VALID_MS = 30_000;
/** After this a new check runs in the background, and no decision waits for it. */
const FRESH_MS = 15_000;
/** The deadline of a check, as a multiple of a decision's. */
const CHECK_SHARE_MAX = 2;

/**
 * Checks that the limiter keeps its state in the required backend: a limiter that counts in memory
 * must not decide for callers that rely on durable limits.
 */
export class BackendCheck {
  readonly #client: Client<typeof LimiterService>;
  readonly #required: string;
  readonly #timeoutMs: number;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #inFlight: Promise<void> | undefined;

  constructor(client: Client<typeof LimiterService>, required: string, timeoutMs: number) {
    this.#client = client;
    this.#required = required;
    this.#timeoutMs = timeoutMs;
  }

  /** Drops the last result: another limiter may answer after an outage. */
  forget(): void {
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Rejects with `failed_precondition` when the backend is not the required one. */
  async ensure(nowMs: number): Promise<void> {
    const ageMs = Math.abs(nowMs - this.#checkedAtMs);
    if (ageMs < FRESH_MS) return;
    this.#inFlight ??= this.#check(nowMs).finally(() => {
      this.#inFlight = undefined;
    });
    if (ageMs >= VALID_MS) return await this.#inFlight;
    // The next request checks again. The error is thrown once the last result is no longer valid.
    this.#inFlight.catch(() => undefined);
  }

  async #check(nowMs: number): Promise<void> {
    // Longer than a decision's deadline, so that a decision after a stall of this process counts.
    const timeoutMs = this.#timeoutMs * CHECK_SHARE_MAX;
    const { backend } = await this.#client.getInfo({}, { timeoutMs });
    if (backend !== this.#required) {
      throw new ConnectError(
        `the limiter's backend is ${backend || "unknown"}, not ${this.#required}`,
        Code.FailedPrecondition,
      );
    }
    this.#checkedAtMs = nowMs;
  }
}
