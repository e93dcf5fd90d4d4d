import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Ack, Subscribe } from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import { type Authorization, type AuthorizationRequest, refused } from "../access/authorization.ts";
import { type Grant, lastsLonger } from "../access/grant.ts";
import { type Refusal, toErrorFrame, unavailable } from "../access/refusal.ts";
import type { ServerFrameBody } from "../streams/frame-codec.ts";
import type { Hub } from "../streams/hub.ts";
import { OrderedTurns } from "./ordered-turns.ts";
import { StreamDecisions, type StreamDecisionsContext } from "./stream-decisions.ts";
import type { Slot, SubscriptionSlots } from "./subscription-slots.ts";

/** The datasources of one page; bounds what one session holds in memory and asks for at once. */
export const SUBSCRIPTIONS_MAX = 50;

/** Refreshes in flight while they wait for an earlier frame. */
const EARLY_MAX = SUBSCRIPTIONS_MAX;

export type StreamFramesContext = StreamDecisionsContext & { hub: Hub };

/** The session whose frames are carried out. */
type Holder = {
  readonly id: string;
  readonly client: ClientIp;
  readonly isClosed: boolean;
  answer(id: number | undefined, body: NonNullable<ServerFrameBody>): void;
  /** Called when a stream has started. */
  noteSubscribed(): void;
  /** Ends the stream of a datasource, or drops its reservation. */
  release(datasource: string): void;
};

type Wanted = Pick<Subscribe, "datasource" | "token">;

/** The result of one subscribe. */
type Outcome = { datasource: string } & Authorization;

/**
 * Carries out the frames that start, end and refresh streams. Frames of one datasource take effect
 * and are answered in their order of arrival, however long each takes to decide.
 */
export class StreamFrames {
  readonly #holder: Holder;
  readonly #slots: SubscriptionSlots;
  readonly #hub: Hub;
  readonly #decisions: StreamDecisions;
  readonly #turns = new OrderedTurns();

  constructor(holder: Holder, slots: SubscriptionSlots, context: StreamFramesContext) {
    this.#holder = holder;
    this.#slots = slots;
    this.#hub = context.hub;
    this.#decisions = new StreamDecisions(holder, context);
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
    // A refresh that waits for an earlier frame is decided meanwhile, and takes effect in its turn.
    const isEarly = token !== "" && this.#turns.isBusy(datasource);
    const early = isEarly ? this.#decisions.askEarly(request, EARLY_MAX) : undefined;
    this.#inTurn([datasource], () => {
      const slot = this.#slots.find(datasource);
      if (slot?.subscription === undefined) return this.#refuse(id, NOT_SUBSCRIBED);
      if (token === "") {
        return this.#refuse(id, { code: "invalid_argument", message: "token is required" });
      }
      return this.#decisions.whenAnswered(early ?? this.#decisions.ask([request]), ([answer]) => {
        const refusal = this.#replaceGrant(slot, answer ?? refused(unavailable()));
        if (refusal !== undefined) return this.#refuse(id, refusal);
        const value = this.#ackOf(datasource, slot.subscription?.grant);
        return this.#holder.answer(id, { case: "ack", value });
      });
    });
  }

  /** Does the work in its turn, unless the session has closed by then. */
  #inTurn(datasources: readonly string[], work: () => Promise<void> | undefined): void {
    this.#turns.run(datasources, () => (this.#holder.isClosed ? undefined : work()));
  }

  /** Starts the granted streams together, once all of them are decided. */
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
    if (requests.length > 0)
      return this.#decisions.whenAnswered(this.#decisions.ask(requests), finish);
    finish([]);
    return undefined;
  }

  /** Reserves the slot of a datasource while it is decided. */
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

  /** Puts a stream under a new grant, unless the present one lasts longer. */
  #replaceGrant(slot: Slot, answer: Authorization): Refusal | undefined {
    if (answer.kind === "refused") return answer.refusal;
    const { subscription } = slot;
    if (subscription === undefined || !this.#slots.holds(slot)) return NOT_SUBSCRIBED;
    const { grant } = answer;
    if (grant.subject !== subscription.grant.subject) {
      return { code: "permission_denied", message: "the token belongs to another subject" };
    }
    if (!lastsLonger(subscription.grant, grant))
      this.#slots.replaceGrant(slot, subscription, grant);
    return undefined;
  }

  #bodyOf(outcome: Outcome) {
    return outcome.kind === "refused"
      ? { case: "error" as const, value: toErrorFrame(outcome.refusal) }
      : { case: "ack" as const, value: this.#ackOf(outcome.datasource, outcome.grant) };
  }

  #ackOf(datasource: string, grant?: Grant): Omit<Ack, "$typeName"> {
    const expiresAtMs = grant?.token?.expiresAtMs;
    const expiry = expiresAtMs === undefined ? {} : { expiresAt: timestampFromMs(expiresAtMs) };
    return { resumed: false, ...this.#hub.positionOf(datasource), ...expiry };
  }

  #refuse(id: number | undefined, refusal: Refusal): undefined {
    this.#holder.answer(id, { case: "error", value: toErrorFrame(refusal) });
  }
}

const NOT_SUBSCRIBED: Refusal = {
  code: "not_found",
  message: "not subscribed to this datasource",
};
