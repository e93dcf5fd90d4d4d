import type { Clock } from "../../runtime/clock.ts";
import { setNewest } from "../../runtime/set-newest.ts";
import { type AuthClient, DATASOURCES_MAX } from "../access/auth-client.ts";
import { QuestionBatches } from "../access/question-batches.ts";

/** Whether something may be published to a datasource; `unknown` when auth cannot be asked. */
export type Existence = "exists" | "does-not-exist" | "unknown";

/** How long a datasource is taken to exist without asking again; its end is a revocation anyway. */
const BELIEVED_MS = 60_000;
/** Datasources that publishers use at a time; of more, the one used longest ago is asked anew. */
const TARGETS_MAX = 50_000;
/** Questions under way for all publishers together. */
const AT_ONCE = 4;

/**
 * Which datasources exist, so that updates for names that nobody made are refused. Only good news
 * is kept: what was just made can be published to at once. What has become old is used while auth
 * is asked again, so that an outage of auth stops no publisher.
 */
export class PublishTargets {
  readonly #clock: Clock;
  readonly #batches: QuestionBatches<Existence>;
  /** When auth last said so; the datasource used last is last. */
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

  /** Answers at once what is known, so that updates of one datasource stay in order. */
  find(datasource: string): Existence | Promise<Existence> {
    const knownAtMs = this.#knownAtMs.get(datasource);
    if (knownAtMs === undefined) return this.#ask(datasource);
    const ageMs = Math.abs(this.#clock.nowMs() - knownAtMs);
    if (ageMs > BELIEVED_MS) void this.#ask(datasource).catch(() => undefined);
    setNewest(this.#knownAtMs, datasource, knownAtMs, TARGETS_MAX);
    return "exists";
  }

  /** Called when something about a datasource was revoked: it may have been deleted. */
  forget(datasource: string): void {
    this.#knownAtMs.delete(datasource);
    this.#asked.delete(datasource);
  }

  #ask(datasource: string): Promise<Existence> {
    const asked = this.#asked.get(datasource);
    if (asked !== undefined) return asked;
    const existence = this.#batches.ask(datasource, "publishers").then((answer) => {
      // What was revoked meanwhile is asked about again.
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
