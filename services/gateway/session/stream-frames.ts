import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Ack, Subscribe } from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import type { Logger } from "../../runtime/log.ts";
import {
  type Authorization,
  type AuthorizationRequest,
  type Authorize,
  refused,
} from "../access/authorization.ts";
import { DecisionBudget } from "../access/decision-budget.ts";
import { type Grant, isUnexpired, lastsLonger } from "../access/grant.ts";
import {
  RETRY_AFTER_OUTAGE_MS,
  type Refusal,
  toErrorFrame,
  unavailable,
} from "../access/refusal.ts";
import type { RevocationMemory } from "../access/revocation-memory.ts";
import type { ServerFrameBody } from "../streams/frame-codec.ts";
import type { Hub } from "../streams/hub.ts";
import { OrderedTurns } from "./ordered-turns.ts";
import type { Slot, SubscriptionSlots } from "./subscription-slots.ts";

/** Datasources on one page; bounds what one session can hold in memory, and ask for at once. */
export const SUBSCRIPTIONS_MAX = 50;

/** Refreshes that are decided while they wait for an earlier frame. */
const EARLY_MAX = SUBSCRIPTIONS_MAX;

export type StreamFramesContext = {
  hub: Hub;
  authorize: Authorize;
  revocations: RevocationMemory;
  clock: Clock;
  log: Logger;
};

/** The session whose frames are carried out. */
type Holder = {
  readonly id: string;
  readonly client: ClientIp;
  readonly isClosed: boolean;
  answer(id: number | undefined, body: NonNullable<ServerFrameBody>): void;
  /** Told when a stream has begun. */
  noteSubscribed(): void;
  /** Ends a stream, or the wait for one. */
  release(datasource: string): void;
};

type Wanted = Pick<Subscribe, "datasource" | "token">;

/** What became of one subscribe. */
type Outcome = { datasource: string } & Authorization;

/**
 * Carries out what a client wants of its streams. Frames of one datasource take effect and are
 * answered in the order in which they came, however long each of them takes to decide.
 */
export class StreamFrames {
  readonly #holder: Holder;
  readonly #slots: SubscriptionSlots;
  readonly #context: StreamFramesContext;
  readonly #turns = new OrderedTurns();
  readonly #decisions: DecisionBudget;
  #early = 0;

  constructor(holder: Holder, slots: SubscriptionSlots, context: StreamFramesContext) {
    this.#holder = holder;
    this.#slots = slots;
    this.#context = context;
    this.#decisions = new DecisionBudget(context.clock.nowMs());
  }

  /** Frames that wait for an earlier one of their datasource. */
  get waiting(): number {
    return this.#turns.waiting;
  }

  subscribe(id: number | undefined, wanted: Wanted): void {
    this.#inTurn([wanted.datasource], () =>
      this.#start([wanted], ([outcome]) => {
        if (outcome !== undefined) this.#holder.answer(id, this.#bodyOf(outcome));
      }),
    );
  }

  subscribeAll(id: number | undefined, wanted: readonly Wanted[]): void {
    if (wanted.length === 0 || wanted.length > SUBSCRIPTIONS_MAX) {
      const message = `subscriptions must hold 1 to ${SUBSCRIPTIONS_MAX} entries`;
      this.#refuse(id, { code: "invalid_argument", message });
      return;
    }
    const datasources = wanted.map(({ datasource }) => datasource);
    this.#inTurn(datasources, () =>
      this.#start(wanted, (outcomes) => {
        const results = outcomes.map((outcome) => {
          return { datasource: outcome.datasource, result: this.#bodyOf(outcome) };
        });
        this.#holder.answer(id, { case: "subscribed", value: { results } });
      }),
    );
  }

  unsubscribe(id: number | undefined, datasource: string): void {
    this.#inTurn([datasource], () => {
      if (this.#slots.find(datasource) === undefined) return this.#refuse(id, NOT_SUBSCRIBED);
      this.#holder.release(datasource);
      this.#holder.answer(id, { case: "ack", value: this.#ackOf(datasource) });
      return undefined;
    });
  }

  refresh(id: number | undefined, { datasource, token }: Wanted): void {
    const request = { client: this.#holder.client, datasource, token, purpose: "refresh" } as const;
    // What waits for an earlier frame is decided meanwhile, and takes effect in its turn.
    const isEarly = token !== "" && this.#turns.isBusy(datasource);
    const early = isEarly ? this.#askEarly(request) : undefined;
    this.#inTurn([datasource], () => {
      const slot = this.#slots.find(datasource);
      if (slot?.subscription === undefined) return this.#refuse(id, NOT_SUBSCRIBED);
      if (token === "") {
        return this.#refuse(id, { code: "invalid_argument", message: "token is required" });
      }
      return this.#whenAnswered(early ?? this.#ask([request]), ([answer]) => {
        const refusal = this.#renew(slot, answer ?? refused(unavailable()));
        if (refusal !== undefined) return this.#refuse(id, refusal);
        const value = this.#ackOf(datasource, slot.subscription?.grant);
        return this.#holder.answer(id, { case: "ack", value });
      });
    });
  }

  /** Whatever waited for a session that has closed is not worth deciding. */
  #inTurn(datasources: readonly string[], work: () => Promise<void> | undefined): void {
    this.#turns.run(datasources, () => (this.#holder.isClosed ? undefined : work()));
  }

  /** Starts the streams that are granted, all at once when the last of them is decided. */
  #start(
    wanted: readonly Wanted[],
    tell: (outcomes: readonly Outcome[]) => void,
  ): Promise<void> | undefined {
    const slots = wanted.map(({ datasource }) => this.#reserve(datasource));
    const requests = wanted.flatMap(({ datasource, token }, index): AuthorizationRequest[] =>
      "code" in (slots[index] ?? NOT_SUBSCRIBED)
        ? []
        : [{ client: this.#holder.client, datasource, token, purpose: "subscribe" }],
    );
    const finish = (answers: readonly Authorization[]) => {
      const left = answers.values();
      const settle = (slot: Slot | Refusal): Authorization =>
        "code" in slot ? refused(slot) : this.#settle(slot, left.next().value);
      tell(
        wanted.map(({ datasource }, index) => {
          return { datasource, ...settle(slots[index] ?? NOT_SUBSCRIBED) };
        }),
      );
    };
    if (requests.length > 0) return this.#whenAnswered(this.#ask(requests), finish);
    finish([]);
    return undefined;
  }

  /** Holds the place of a datasource while it is decided. */
  #reserve(datasource: string): Slot | Refusal {
    if (!isDatasourceName(datasource)) {
      return { code: "invalid_argument", message: "datasource is not a valid name" };
    }
    if (this.#slots.find(datasource) !== undefined) {
      return { code: "already_subscribed", message: "already subscribed to this datasource" };
    }
    if (this.#slots.size >= SUBSCRIPTIONS_MAX) {
      const message = `a session holds at most ${SUBSCRIPTIONS_MAX} subscriptions`;
      return { code: "permission_denied", message };
    }
    return this.#slots.reserve(datasource);
  }

  #settle(slot: Slot, answer: Authorization = refused(unavailable())): Authorization {
    if (answer.kind === "refused") {
      this.#slots.release(slot.datasource);
      return answer;
    }
    this.#slots.start(slot, answer.grant);
    this.#holder.noteSubscribed();
    return answer;
  }

  /** Puts a stream under a new grant, unless that would end it sooner. */
  #renew(slot: Slot, answer: Authorization): Refusal | undefined {
    if (answer.kind === "refused") return answer.refusal;
    const { subscription } = slot;
    if (subscription === undefined || !this.#slots.holds(slot)) return NOT_SUBSCRIBED;
    const { grant } = answer;
    if (grant.subject !== subscription.grant.subject) {
      return { code: "permission_denied", message: "the token belongs to another subject" };
    }
    if (!lastsLonger(subscription.grant, grant)) this.#slots.renew(slot, subscription, grant);
    return undefined;
  }

  #askEarly(request: AuthorizationRequest): Answers {
    if (this.#early >= EARLY_MAX) return [refused(TOO_MUCH_PENDING)];
    this.#early++;
    const answers = this.#ask([request]);
    if (isDecided(answers)) this.#early--;
    else void answers.then(() => this.#early--);
    return answers;
  }

  /** Asks whether the client may have datasources. Never rejects. */
  #ask(requests: readonly AuthorizationRequest[]): Answers {
    const { authorize, clock } = this.#context;
    const waitMs = this.#decisions.take(clock.nowMs(), requests.length);
    if (waitMs > 0) return requests.map(() => refused(tooManyDecisions(waitMs)));
    return authorize(requests).catch((error: unknown) => {
      this.#report(error);
      return requests.map(() => refused(unavailable()));
    });
  }

  /** Goes on with answers, if the session still lives when they have come. */
  #whenAnswered(
    answers: Answers,
    goOn: (answers: readonly Authorization[]) => void,
  ): Promise<void> | undefined {
    if (isDecided(answers)) {
      goOn(answers);
      return undefined;
    }
    return answers
      .then((decided) => {
        if (!this.#holder.isClosed) goOn(decided.map((answer) => this.#recheck(answer)));
      })
      .catch((error: unknown) => this.#report(error));
  }

  #report(error: unknown): void {
    const { log } = this.#context;
    log.error({ err: error, session: this.#holder.id }, "a client frame could not be carried out");
  }

  /** A grant can expire or be revoked between auth's answer and its first use. */
  #recheck(answer: Authorization): Authorization {
    if (answer.kind === "refused") return answer;
    const { grant } = answer;
    const state = this.#context.revocations.check(grant);
    const isOver = !isUnexpired(grant, this.#context.clock.nowMs());
    if (state === "unknown") return refused(unavailable());
    if (state === "valid" && !isOver) return answer;
    // Without a token there is nothing wrong with the client: it may ask for the new version.
    if (grant.token === undefined) return refused(unavailable());
    const message = isOver ? "the token has expired" : "the token was revoked";
    return refused({ code: "unauthenticated", message });
  }

  #bodyOf(outcome: Outcome) {
    return outcome.kind === "refused"
      ? { case: "error" as const, value: toErrorFrame(outcome.refusal) }
      : { case: "ack" as const, value: this.#ackOf(outcome.datasource, outcome.grant) };
  }

  #ackOf(datasource: string, grant?: Grant): Omit<Ack, "$typeName"> {
    const expiresAtMs = grant?.token?.expiresAtMs;
    const expiry = expiresAtMs === undefined ? {} : { expiresAt: timestampFromMs(expiresAtMs) };
    return { resumed: false, ...this.#context.hub.positionOf(datasource), ...expiry };
  }

  #refuse(id: number | undefined, refusal: Refusal): undefined {
    this.#holder.answer(id, { case: "error", value: toErrorFrame(refusal) });
  }
}

/** Told apart by `then`: what was refused here and now, and what others are asked about. */
type Answers = readonly Authorization[] | Promise<readonly Authorization[]>;

function isDecided(answers: Answers): answers is readonly Authorization[] {
  return Array.isArray(answers);
}

const NOT_SUBSCRIBED: Refusal = {
  code: "not_found",
  message: "not subscribed to this datasource",
};

const TOO_MUCH_PENDING: Refusal = {
  code: "rate_limited",
  message: "too many frames wait for an answer",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

function tooManyDecisions(retryAfterMs: number): Refusal {
  return { code: "rate_limited", message: "too many subscribes and refreshes", retryAfterMs };
}
