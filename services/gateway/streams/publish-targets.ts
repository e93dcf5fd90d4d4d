import type { Clock } from "../../runtime/clock.ts";
import { setNewest } from "../../runtime/set-newest.ts";
import { type AuthClient, DATASOURCES_MAX } from "../access/auth-client.ts";
import { QuestionBatches } from "../access/question-batches.ts";

/** Whether a datasource exists; `unknown` when auth cannot be asked. */
export type Existence = "exists" | "does-not-exist" | "unknown";

/** How long an answer of auth is valid; the end of a datasource also arrives as a revocation. */
const BELIEVED_MS = 60_000;
/** The most datasources that are remembered; the least recently used one is dropped. */
const TARGETS_MAX = 50_000;
/** Questions in flight for all publishers together. */
const AT_ONCE = 4;

/**
 * Remembers which datasources exist, so that updates for unknown names are refused. Unknown names
 * are not remembered: a new datasource accepts updates at once. An expired answer is still used
 * while auth is asked again, so that an outage of auth stops no publisher.
 */
export class PublishTargets {
  readonly #clock: Clock;
  readonly #batches: QuestionBatches<Existence>;
  /** When auth last confirmed each datasource; the most recently used one is last. */
  readonly #knownAtMs = new Map<string, number>();
  readonly #asked = new Map<string, Promise<Existence>>();

  constructor(options: { auth: Pick<AuthClient, "introspectDatasources">; clock: Clock }) {
    const { auth } = options;
    this.#clock = options.clock;
    this.#batches = new QuestionBatches(
      async (names) => {
        const asker = { crowd: "publisher" } as const;
        const answers = await auth.introspectDatasources(names, "publish", asker);
        if ("kind" in answers) return names.map(() => "unknown");
        return answers.map(({ kind }) => (kind === "active" ? "exists" : "does-not-exist"));
      },
      { namesMax: DATASOURCES_MAX, atOncePerAsker: AT_ONCE },
    );
  }

  /** Answers at once for a known datasource, so that its updates stay in order. */
  find(datasource: string): Existence | Promise<Existence> {
    const knownAtMs = this.#knownAtMs.get(datasource);
    if (knownAtMs === undefined) return this.#ask(datasource);
    const ageMs = Math.abs(this.#clock.nowMs() - knownAtMs);
    if (ageMs > BELIEVED_MS) void this.#ask(datasource).catch(() => undefined);
    setNewest(this.#knownAtMs, datasource, knownAtMs, TARGETS_MAX);
    return "exists";
  }

  /** Called when a revocation concerns a datasource: it may have been deleted. */
  forget(datasource: string): void {
    this.#knownAtMs.delete(datasource);
    this.#asked.delete(datasource);
  }

  #ask(datasource: string): Promise<Existence> {
    const asked = this.#asked.get(datasource);
    if (asked !== undefined) return asked;
    const existence = this.#batches.ask(datasource, "publishers").then((answer) => {
      // A revocation arrived meanwhile: ask again.
      if (this.#asked.get(datasource) !== existence) return answer;
      this.#asked.delete(datasource);
      if (answer === "exists") {
        setNewest(this.#knownAtMs, datasource, this.#clock.nowMs(), TARGETS_MAX);
      }
      if (answer === "does-not-exist") this.#knownAtMs.delete(datasource);
      return answer;
    });
    this.#asked.set(datasource, existence);
    return existence;
  }
}
