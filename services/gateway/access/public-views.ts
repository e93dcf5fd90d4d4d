import type { Clock } from "../../runtime/clock.ts";
import { setNewest } from "../../runtime/set-newest.ts";
import type { Introspection } from "./auth-answers.ts";
import { type AuthClient, DATASOURCES_MAX, type Unreachable } from "./auth-client.ts";
import { AT_ONCE_PER_ADDRESS } from "./auth-crowds.ts";
import { QuestionBatches } from "./question-batches.ts";
import type { RevocationMemory } from "./revocation-memory.ts";

/** A public datasource, according to auth. */
export type PublicView = {
  kind: "public";
  accessVersion: number;
  /** The revocations known before auth was asked. */
  heardUntil: number;
};

/** Unknown and private get the same answer. */
export type View = PublicView | { kind: "not-public" } | Unreachable;

/** How long an answer is valid. */
const VIEW_TTL_MS = 3_000;
/** Far more datasources than are opened in that time. */
const VIEWS_MAX = 1_000;

/**
 * Remembers briefly which datasources are public, so that many subscribes are one question. Others
 * are not remembered: a datasource that becomes public is open at once.
 */
export class PublicViews {
  readonly #auth: Pick<AuthClient, "introspectDatasources">;
  readonly #revocations: RevocationMemory;
  readonly #clock: Clock;
  readonly #known = new Map<string, { view: PublicView; untilMs: number }>();
  readonly #asked = new Map<string, Promise<View>>();

  /** The datasources of one page are asked about in one question. */
  readonly #batches: QuestionBatches<View>;

  constructor(options: {
    auth: Pick<AuthClient, "introspectDatasources">;
    revocations: RevocationMemory;
    clock: Clock;
  }) {
    this.#auth = options.auth;
    this.#revocations = options.revocations;
    this.#clock = options.clock;
    this.#batches = new QuestionBatches(
      async (names, address) => await this.#look(names, address),
      {
        namesMax: DATASOURCES_MAX,
        atOncePerAsker: AT_ONCE_PER_ADDRESS,
      },
    );
  }

  /** The remembered answer about a datasource. */
  recall(datasource: string): PublicView | undefined {
    const known = this.#known.get(datasource);
    return known !== undefined && this.#clock.nowMs() < known.untilMs ? known.view : undefined;
  }

  /** Asks for an address, unless the datasource is known or a question about it is in flight. */
  async find(datasource: string, address: string): Promise<View> {
    const known = this.recall(datasource);
    if (known !== undefined) return known;
    const asked = this.#asked.get(datasource) ?? this.#ask(datasource, address);
    this.#asked.set(datasource, asked);
    return await asked;
  }

  /** Called when a revocation concerns a datasource. */
  forget(datasource: string): void {
    this.#known.delete(datasource);
    this.#asked.delete(datasource);
  }

  async #ask(datasource: string, address: string): Promise<View> {
    try {
      return await this.#batches.ask(datasource, address);
    } finally {
      this.#asked.delete(datasource);
    }
  }

  async #look(datasources: readonly string[], address: string): Promise<readonly View[]> {
    const heardUntil = this.#revocations.heard;
    const asker = { crowd: "public", key: address } as const;
    const answers = await this.#auth.introspectDatasources(datasources, "stream", asker);
    if ("kind" in answers) return datasources.map(() => answers);
    return answers.map((answer, index) => this.#read(answer, datasources[index], heardUntil));
  }

  #read(answer: Introspection, datasource: string | undefined, heardUntil: number): View {
    if (answer.kind === "inactive" || answer.datasource !== datasource) {
      return { kind: "not-public" };
    }
    const view: PublicView = { kind: "public", accessVersion: answer.accessVersion, heardUntil };
    // A revocation arrived while auth answered: do not remember the answer.
    if (this.#revocations.heard === heardUntil) this.#remember(datasource, view);
    return view;
  }

  #remember(datasource: string, view: PublicView): void {
    const untilMs = this.#clock.nowMs() + VIEW_TTL_MS;
    setNewest(this.#known, datasource, { view, untilMs }, VIEWS_MAX);
  }
}
