import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";

/** How long one look at the limiter's backend is believed. */
const BELIEVED_MS = 30_000;

/**
 * Makes sure that the limiter keeps its state where it was promised to: a limiter that counts in
 * memory must not decide for callers that rely on durable limits.
 */
export class BackendCheck {
  readonly #client: Client<typeof LimiterService>;
  readonly #required: string;
  readonly #timeoutMs: number;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #underway: Promise<void> | undefined;

  constructor(client: Client<typeof LimiterService>, required: string, timeoutMs: number) {
    this.#client = client;
    this.#required = required;
    this.#timeoutMs = timeoutMs;
  }

  /** Forgets what was seen: another limiter may answer after an outage. */
  forget(): void {
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Rejects with `failed_precondition` when the backend is not the required one. */
  async ensure(nowMs: number): Promise<void> {
    if (Math.abs(nowMs - this.#checkedAtMs) < BELIEVED_MS) return;
    this.#underway ??= this.#look(nowMs).finally(() => {
      this.#underway = undefined;
    });
    await this.#underway;
  }

  async #look(nowMs: number): Promise<void> {
    const { backend } = await this.#client.getInfo({}, { timeoutMs: this.#timeoutMs });
    if (backend !== this.#required) {
      throw new ConnectError(
        `the limiter's backend is ${backend || "unknown"}, not ${this.#required}`,
        Code.FailedPrecondition,
      );
    }
    this.#checkedAtMs = nowMs;
  }
}
