import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/log.ts";
import {
  type Authorization,
  type AuthorizationRequest,
  type Authorize,
  refused,
} from "../access/authorization.ts";
import { DecisionBudget } from "../access/decision-budget.ts";
import { isUnexpired } from "../access/grant.ts";
import { RETRY_AFTER_OUTAGE_MS, type Refusal, unavailable } from "../access/refusal.ts";
import type { RevocationMemory } from "../access/revocation-memory.ts";

export type StreamDecisionsContext = {
  authorize: Authorize;
  revocations: RevocationMemory;
  clock: Clock;
  log: Logger;
};

/** An array when this process refused at once, a promise when others are asked. */
export type Answers = readonly Authorization[] | Promise<readonly Authorization[]>;

/** The session that asks. */
type Asker = { readonly id: string; readonly isClosed: boolean };

/** Asks whether a session's client may have datasources, as often as one session may. */
export class StreamDecisions {
  readonly #asker: Asker;
  readonly #context: StreamDecisionsContext;
  readonly #budget: DecisionBudget;
  /** Early questions in flight. */
  #early = 0;

  constructor(asker: Asker, context: StreamDecisionsContext) {
    this.#asker = asker;
    this.#context = context;
    this.#budget = new DecisionBudget(context.clock.nowMs());
  }

  /** Asks about some datasources; answers in their order. Never rejects. */
  ask(requests: readonly AuthorizationRequest[]): Answers {
    const { authorize, clock } = this.#context;
    const waitMs = this.#budget.take(clock.nowMs(), requests.length);
    if (waitMs > 0) return requests.map(() => refused(tooManyDecisions(waitMs)));
    return authorize(requests).catch((error: unknown) => {
      this.#report(error);
      return requests.map(() => refused(unavailable()));
    });
  }

  /** Asks before the frame has its turn; at most `earlyMax` such questions are in flight. */
  askEarly(request: AuthorizationRequest, earlyMax: number): Answers {
    if (this.#early >= earlyMax) return [refused(TOO_MUCH_PENDING)];
    this.#early++;
    const answers = this.ask([request]);
    if (isDecided(answers)) this.#early--;
    else void answers.then(() => this.#early--);
    return answers;
  }

  /** Continues with the answers, unless the session has closed before they arrive. */
  whenAnswered(
    answers: Answers,
    goOn: (answers: readonly Authorization[]) => void,
  ): Promise<void> | undefined {
    if (isDecided(answers)) {
      goOn(answers);
      return undefined;
    }
    return answers
      .then((decided) => {
        if (!this.#asker.isClosed) goOn(decided.map((answer) => this.#recheck(answer)));
      })
      .catch((error: unknown) => this.#report(error));
  }

  /** Checks a grant again: it may have expired or been revoked since auth answered. */
  #recheck(answer: Authorization): Authorization {
    if (answer.kind === "refused") return answer;
    const { grant } = answer;
    const state = this.#context.revocations.check(grant);
    const isOver = !isUnexpired(grant, this.#context.clock.nowMs());
    if (state === "unknown") return refused(unavailable());
    if (state === "valid" && !isOver) return answer;
    // Without a token the datasource has changed, not the client: it may ask again.
    if (grant.token === undefined) return refused(unavailable());
    const message = isOver ? "the token has expired" : "the token was revoked";
    return refused({ code: "unauthenticated", message });
  }

  #report(error: unknown): void {
    const { log } = this.#context;
    log.error({ err: error, session: this.#asker.id }, "a client frame could not be carried out");
  }
}

function isDecided(answers: Answers): answers is readonly Authorization[] {
  return Array.isArray(answers);
}

const TOO_MUCH_PENDING: Refusal = {
  code: "rate_limited",
  message: "too many frames wait for an answer",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

function tooManyDecisions(retryAfterMs: number): Refusal {
  return { code: "rate_limited", message: "too many subscribes and refreshes", retryAfterMs };
}
