import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";

/** How long one look at the limiter's backend is believed. */
const BELIEVED_MS = 30_000;
/** After this it is looked at again beside the decisions, none of which waits for that. */
const FRESH_MS = 15_000;
/** How long a look takes at most, in deadlines of a decision. */
const LOOK_SHARE_MAX = 2;

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
    const ageMs = Math.abs(nowMs - this.#checkedAtMs);
    if (ageMs < FRESH_MS) return;
    this.#underway ??= this.#look(nowMs).finally(() => {
      this.#underway = undefined;
    });
    if (ageMs >= BELIEVED_MS) return await this.#underway;
    // What goes wrong is asked again, and told to whoever comes when the belief has ended.
    this.#underway.catch(() => undefined);
  }

  async #look(nowMs: number): Promise<void> {
    // Decisions end by their own deadlines; one that came in spite of a stall of ours shall count.
    const timeoutMs = this.#timeoutMs * LOOK_SHARE_MAX;
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
