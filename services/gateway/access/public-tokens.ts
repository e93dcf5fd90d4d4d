import type { Clock } from "../../runtime/clock.ts";
import { setNewest } from "../../runtime/set-newest.ts";
import type { Introspection } from "./auth-answers.ts";
import type { AuthClient, Unreachable } from "./auth-client.ts";
import type { RevocationMemory } from "./revocation-memory.ts";

/** What auth said of a token, and which revocations had been heard before it was asked. */
export type TokenAnswer = { answer: Introspection | Unreachable; heardUntil: number };

/** How long a token that counted may be taken to count; what is heard meanwhile ends it anyway. */
const ANSWER_TTL_MS = 3_000;
/** More tokens than auth is asked about within that time; each is at most 8 KiB. */
const ANSWERS_MAX = 1_000;

/**
 * What auth says of tokens that anybody can have, remembered briefly, so that a crowd with one
 * token is one question. Only good news is kept.
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

  /** Asks on behalf of an address, unless the token is known or being asked about. */
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
