import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ClientFrame, Status_State } from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import type { ClientIp } from "../runtime/client-ip.ts";
import type { Clock } from "../runtime/clock.ts";
import { isDatasourceName } from "../runtime/datasource-name.ts";
import type { Logger } from "../runtime/log.ts";
import {
  type Authorization,
  type AuthorizationRequest,
  type Authorize,
  refused,
} from "./authorization.ts";
import { CLOSE_CODES, type CloseReason } from "./close-codes.ts";
import { DECISIONS, type FrameBudget, fullFrameBudget, takeFrame } from "./frame-budget.ts";
import { type FrameCodec, type ServerFrameBody, serverFrame } from "./frame-codec.ts";
import { type Grant, isUnexpired } from "./grant.ts";
import type { Hub } from "./hub.ts";
import { RETRY_AFTER_OUTAGE_MS, type Refusal, toErrorFrame, unavailable } from "./refusal.ts";
import type { RevocationMemory } from "./revocation-memory.ts";
import type { Schedule } from "./schedule.ts";
import type { SendBuffers } from "./send-buffers.ts";
import type { EndReason, Subscriber, Subscription } from "./subscription.ts";
import { SubscriptionSlots } from "./subscription-slots.ts";

/** How often clients are asked to send a ping: most proxies drop what is silent for a minute. */
const PING_INTERVAL_MS = 25_000;
/** The largest client frame; the largest honest one carries a token of at most 8 KiB. */
export const FRAME_BYTES_MAX = 16 * 1024;
/** Datasources on one page; bounds what one session can hold in memory. */
export const SUBSCRIPTIONS_MAX = 50;
/** Frames of one session that wait for the limiter or auth at the same time. */
const PENDING_MAX = SUBSCRIPTIONS_MAX;
/** An honest client sends none; a broken one is told before it is closed. */
export const UNREADABLE_FRAMES_MAX = 10;
/** Above this, updates wait for the client to read; the latest of each datasource is kept. */
export const UPDATES_BUFFERED_BYTES_MAX = 64 * 1024;
/**
 * Above this the client is closed. It leaves room for the largest update on top of the updates
 * bound and for thousands of control frames, and stays below the socket's own limit, at which
 * even a close frame would be dropped.
 */
export const CONTROL_BUFFERED_BYTES_MAX = 256 * 1024;
/** The same bound while slow readers together hold too much. */
export const CONTROL_BUFFERED_BYTES_MIN = 16 * 1024;

/** The connection under a session. Never used after it has closed. */
export type SessionSocket = {
  send(data: Uint8Array, isBinary: boolean): void;
  bufferedBytes(): number;
  /** Sends a close frame; reports the close before it returns. */
  end(code: number, reason: string): void;
};

/** What all sessions share. */
export type SessionContext = {
  hub: Hub;
  authorize: Authorize;
  revocations: RevocationMemory;
  clock: Clock;
  schedule: Schedule;
  buffers: SendBuffers;
  /** Told when a session has lost its last subscription, or got its first. */
  noteUnsubscribed(session: Session, isUnsubscribed: boolean): void;
  log: Logger;
};

/**
 * One client on one connection: what it may send, what it is subscribed to, and what it is told.
 * Driven by events alone: `receive`, `drained`, `closed`, and the expiry it schedules.
 */
export class Session implements Subscriber {
  readonly id: string;
  readonly codec: FrameCodec;
  readonly #client: ClientIp;
  readonly #socket: SessionSocket;
  readonly #context: SessionContext;
  readonly #slots: SubscriptionSlots;
  #budget: FrameBudget;
  #decisions: FrameBudget;
  #pending = 0;
  #unreadable = 0;
  /** What waited for this client when it was last looked at. */
  #bufferedBytes = 0;
  #isClosed = false;

  constructor(
    identity: { id: string; client: ClientIp; codec: FrameCodec },
    socket: SessionSocket,
    context: SessionContext,
  ) {
    this.id = identity.id;
    this.codec = identity.codec;
    this.#client = identity.client;
    this.#socket = socket;
    this.#context = context;
    this.#slots = new SubscriptionSlots(this, context);
    this.#budget = fullFrameBudget(context.clock.nowMs());
    this.#decisions = fullFrameBudget(context.clock.nowMs(), DECISIONS);
  }

  /** Greets the client. */
  open(): void {
    const pingInterval = durationFromMs(PING_INTERVAL_MS);
    this.#send({ case: "hello", value: { sessionId: this.id, pingInterval } });
  }

  /** Carries out one frame of the client, or says why not. */
  receive(data: Uint8Array, isBinary: boolean) {
    if (this.#isClosed || !this.#takeFromBudget()) return;
    if (data.byteLength > FRAME_BYTES_MAX) return this.close("frame_too_large");
    if (isBinary !== this.codec.isBinary) return this.close("wrong_frame_kind");
    const decoded = this.codec.decode(data);
    if (decoded.kind === "unreadable") return this.#refuseUnreadable(decoded.id);
    this.#unreadable = 0;
    this.#carryOut(decoded.frame);
  }

  /** Counts a ping or pong of the websocket protocol itself. */
  receiveControl(): void {
    if (!this.#isClosed) this.#takeFromBudget();
  }

  /** Sends what was held back, now that the client has read some. */
  drained(): void {
    this.#noteBuffered(this.#socket.bufferedBytes());
    this.#slots.catchUp();
  }

  offer(update: Uint8Array): boolean {
    const bufferedBytes = this.#socket.bufferedBytes();
    const max = this.#context.buffers.isFull ? 0 : UPDATES_BUFFERED_BYTES_MAX;
    if (bufferedBytes > max) return false;
    this.#socket.send(update, this.codec.isBinary);
    this.#noteBuffered(this.#socket.bufferedBytes());
    return true;
  }

  end(subscription: Subscription, reason: EndReason): void {
    const { datasource } = subscription;
    if (this.#slots.find(datasource)?.subscription !== subscription) return;
    this.#release(datasource);
    const value = { datasource, state: Status_State.ENDED, reason };
    this.#send({ case: "status", value });
  }

  /** Announces a close that is not the client's fault, and when to come back. */
  dismiss(reason: CloseReason, retryAfterMs: number): void {
    const retryAfter = durationFromMs(retryAfterMs);
    this.#send({ case: "bye", value: { reason, retryAfter } });
    this.close(reason);
  }

  close(reason: CloseReason) {
    if (!this.#isClosed) this.#socket.end(CLOSE_CODES[reason], reason);
  }

  /** Lets go of everything. What is still being decided finds a closed session and is dropped. */
  closed(): void {
    this.#isClosed = true;
    this.#slots.releaseAll();
    this.#noteBuffered(0);
  }

  #takeFromBudget(): boolean {
    const budget = takeFrame(this.#budget, this.#context.clock.nowMs());
    if (budget === undefined) this.close("frame_rate");
    else this.#budget = budget;
    return budget !== undefined;
  }

  /** Ends a stream, or the wait for one. */
  #release(datasource: string): void {
    const wasSubscribed = this.#slots.find(datasource)?.subscription !== undefined;
    this.#slots.release(datasource);
    if (wasSubscribed && !this.#slots.hasSubscription) this.#context.noteUnsubscribed(this, true);
  }

  #noteBuffered(bytes: number): void {
    this.#context.buffers.change(this.#bufferedBytes, bytes);
    this.#bufferedBytes = bytes;
  }

  #carryOut({ id, body }: ClientFrame) {
    switch (body.case) {
      case "subscribe":
        return this.#subscribe(id, body.value.datasource, body.value.token);
      case "unsubscribe":
        return this.#unsubscribe(id, body.value.datasource);
      case "refresh":
        return this.#refresh(id, body.value.datasource, body.value.token);
      case "ping":
        return this.#send({ case: "pong", value: {} }, id);
    }
  }

  #subscribe(id: number | undefined, datasource: string, token: string) {
    const refusal = this.#findSubscribeRefusal(datasource);
    if (refusal !== undefined) return this.#refuse(id, refusal);
    const slot = this.#slots.reserve(datasource);
    this.#decide({ client: this.#client, datasource, token, purpose: "subscribe" }, (answer) => {
      if (!this.#slots.holds(slot)) {
        return this.#refuse(id, { code: "not_found", message: "unsubscribed in the meantime" });
      }
      if (answer.kind === "refused") {
        this.#slots.release(datasource);
        return this.#refuse(id, answer.refusal);
      }
      this.#slots.start(slot, answer.grant);
      this.#context.noteUnsubscribed(this, false);
      this.#acknowledge(id, datasource, answer.grant);
    });
  }

  #findSubscribeRefusal(datasource: string): Refusal | undefined {
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
    return undefined;
  }

  #unsubscribe(id: number | undefined, datasource: string) {
    if (this.#slots.find(datasource) === undefined) return this.#refuse(id, NOT_SUBSCRIBED);
    this.#release(datasource);
    this.#acknowledge(id, datasource);
  }

  #refresh(id: number | undefined, datasource: string, token: string) {
    const slot = this.#slots.find(datasource);
    const subscription = slot?.subscription;
    if (slot === undefined || subscription === undefined) return this.#refuse(id, NOT_SUBSCRIBED);
    if (token === "") {
      return this.#refuse(id, { code: "invalid_argument", message: "token is required" });
    }
    this.#decide({ client: this.#client, datasource, token, purpose: "refresh" }, (answer) => {
      if (answer.kind === "refused") return this.#refuse(id, answer.refusal);
      if (!this.#slots.holds(slot)) return this.#refuse(id, NOT_SUBSCRIBED);
      if (answer.grant.subject !== subscription.grant.subject) {
        const message = "the token belongs to another subject";
        return this.#refuse(id, { code: "permission_denied", message });
      }
      this.#slots.renew(slot, subscription, answer.grant);
      this.#acknowledge(id, datasource, answer.grant);
    });
  }

  /** Asks whether the client may have a datasource; goes on only if the session still lives. */
  #decide(request: AuthorizationRequest, goOn: (answer: Authorization) => void) {
    if (this.#pending >= PENDING_MAX) return goOn(refused(TOO_MUCH_PENDING));
    const { authorize, clock, log } = this.#context;
    const decisions = takeFrame(this.#decisions, clock.nowMs(), DECISIONS);
    if (decisions === undefined) return goOn(refused(TOO_MANY_DECISIONS));
    this.#decisions = decisions;
    const report = (error: unknown) => {
      log.error({ err: error, session: this.id }, "a client frame could not be carried out");
      return refused(unavailable());
    };
    this.#pending++;
    authorize(request)
      .catch(report)
      .then((answer) => {
        this.#pending--;
        if (!this.#isClosed) goOn(this.#recheck(answer));
      })
      .catch(report);
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

  #refuseUnreadable(id: number | undefined) {
    this.#unreadable++;
    if (this.#unreadable > UNREADABLE_FRAMES_MAX) return this.close("unreadable_frames");
    this.#refuse(id, { code: "invalid_argument", message: "the frame could not be read" });
  }

  #refuse(id: number | undefined, refusal: Refusal) {
    this.#send({ case: "error", value: toErrorFrame(refusal) }, id);
  }

  #acknowledge(id: number | undefined, datasource: string, grant?: Grant) {
    const expiresAtMs = grant?.token?.expiresAtMs;
    const expiry = expiresAtMs === undefined ? {} : { expiresAt: timestampFromMs(expiresAtMs) };
    const position = this.#context.hub.positionOf(datasource);
    this.#send({ case: "ack", value: { resumed: false, ...position, ...expiry } }, id);
  }

  #send(body: NonNullable<ServerFrameBody>, id?: number) {
    if (this.#isClosed) return;
    const isFull = this.#context.buffers.isFull;
    const max = isFull ? CONTROL_BUFFERED_BYTES_MIN : CONTROL_BUFFERED_BYTES_MAX;
    if (this.#socket.bufferedBytes() > max) return this.close("slow_reader");
    this.#socket.send(this.codec.encode(serverFrame(body, id)), this.codec.isBinary);
    if (!this.#isClosed) this.#noteBuffered(this.#socket.bufferedBytes());
  }
}

const NOT_SUBSCRIBED: Refusal = {
  code: "not_found",
  message: "not subscribed to this datasource",
};

const TOO_MANY_DECISIONS: Refusal = {
  code: "rate_limited",
  message: "too many subscribes and refreshes",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

const TOO_MUCH_PENDING: Refusal = {
  code: "rate_limited",
  message: "too many frames wait for an answer",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};
