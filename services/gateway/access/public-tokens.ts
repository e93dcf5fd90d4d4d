import type { Clock } from "../../runtime/clock.ts";
import { setNewest } from "../../runtime/set-newest.ts";
import type { Introspection } from "./auth-answers.ts";
import type { AuthClient, Unreachable } from "./auth-client.ts";
import type { RevocationMemory } from "./revocation-memory.ts";

/** Auth's answer about a token, and the revocations that were known before it was asked. */
export type TokenAnswer = { answer: Introspection | Unreachable; heardUntil: number };

/** How long an answer is valid; a revocation that arrives meanwhile ends the grant anyway. */
const ANSWER_TTL_MS = 3_000;
/** More tokens than auth is asked about in that time; each has at most 8 KiB. */
const ANSWERS_MAX = 1_000;

/**
 * Remembers briefly what auth answers about public tokens, so that many clients with one token are
 * one question. Only valid tokens are remembered.
 */
export class PublicTokens {
  readonly #auth: Pick<AuthClient, "introspectToken">;
  readonly #revocations: RevocationMemory;
  readonly #clock: Clock;
  readonly #known = new Map<string, { told: TokenAnswer; untilMs: number }>();
  readonly #asked = new Map<string, Promise<TokenAnswer>>();

  constructor(options: {
    auth: Pick<AuthClient, "introspectToken">;
    revocations: RevocationMemory;
    clock: Clock;
  }) {
    this.#auth = options.auth;
    this.#revocations = options.revocations;
    this.#clock = options.clock;
  }

  /** Asks for an address, unless the token is known or a question about it is in flight. */
  async introspect(token: string, address: string): Promise<TokenAnswer> {
    const known = this.#known.get(token);
    if (known !== undefined && this.#clock.nowMs() < known.untilMs) return known.told;
    const asked = this.#asked.get(token) ?? this.#ask(token, address);
    this.#asked.set(token, asked);
    return await asked;
  }

  async #ask(token: string, address: string): Promise<TokenAnswer> {
    const heardUntil = this.#revocations.heard;
    const asker = { crowd: "public", key: address } as const;
    const answer = await this.#auth.introspectToken(token, asker);
    this.#asked.delete(token);
    const told = { answer, heardUntil };
    if (answer.kind === "active") this.#remember(token, told);
    return told;
  }

  #remember(token: string, told: TokenAnswer): void {
    const untilMs = this.#clock.nowMs() + ANSWER_TTL_MS;
    setNewest(this.#known, token, { told, untilMs }, ANSWERS_MAX);
  }
}
