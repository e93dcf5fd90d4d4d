import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type ClientFrame, Status_State } from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import {
  FRAMES_BURST,
  type FrameBudget,
  fullFrameBudget,
  takeFrame,
} from "../access/frame-budget.ts";
import { type Refusal, toErrorFrame } from "../access/refusal.ts";
import { CLOSE_CODES, type CloseReason } from "../close-codes.ts";
import type { FrameCodec, ServerFrameBody } from "../streams/frame-codec.ts";
import type { EndReason, Subscriber, Subscription } from "../streams/subscription.ts";
import { Outbox, type SessionSocket } from "./outbox.ts";
import type { Schedule } from "./schedule.ts";
import type { SendBuffers } from "./send-buffers.ts";
import { StreamFrames, type StreamFramesContext } from "./stream-frames.ts";
import { SubscriptionSlots } from "./subscription-slots.ts";

/** How often clients shall ping: most proxies drop a connection that is silent for a minute. */
const PING_INTERVAL_MS = 25_000;
/** The largest client frame; the largest honest one carries a token of at most 8 KiB. */
export const FRAME_BYTES_MAX = 16 * 1024;
/** Frames of one session that may wait for an earlier one: as many as it may send at once. */
const WAITING_MAX = FRAMES_BURST;
/** Frames in a row that may be unreadable: a broken client gets errors before it is closed. */
export const UNREADABLE_FRAMES_MAX = 10;

/** What all sessions share. */
export type SessionContext = StreamFramesContext & {
  schedule: Schedule;
  buffers: SendBuffers;
  /** Called when a session gets its first subscription, or loses its last. */
  noteUnsubscribed(session: Session, isUnsubscribed: boolean): void;
};

/**
 * One client on one connection: its frames, its subscriptions and the answers to it. Driven by
 * events alone: `receive`, `drained`, `closed`, and the expiry that it schedules.
 */
export class Session implements Subscriber {
  readonly id: string;
  readonly codec: FrameCodec;
  readonly #outbox: Outbox;
  readonly #context: SessionContext;
  readonly #slots: SubscriptionSlots;
  readonly #streams: StreamFrames;
  #budget: FrameBudget;
  /** Frames in a row that could not be read. */
  #unreadable = 0;

  constructor(
    identity: { id: string; client: ClientIp; codec: FrameCodec },
    socket: SessionSocket,
    context: SessionContext,
  ) {
    this.id = identity.id;
    this.codec = identity.codec;
    this.#outbox = new Outbox(socket, identity.codec, context.buffers);
    this.#context = context;
    this.#slots = new SubscriptionSlots(this, context);
    this.#streams = new StreamFrames(this.#holder(identity.client), this.#slots, context);
    this.#budget = fullFrameBudget(context.clock.nowMs());
  }

  /** Greets the client. */
  open(): void {
    const pingInterval = durationFromMs(PING_INTERVAL_MS);
    this.#send({ case: "hello", value: { sessionId: this.id, pingInterval } });
  }

  /** Carries out one frame of the client, or answers why not. */
  receive(data: Uint8Array, isBinary: boolean) {
    if (this.#outbox.isClosed || !this.#takeFromBudget()) return;
    if (data.byteLength > FRAME_BYTES_MAX) return this.close("frame_too_large");
    if (isBinary !== this.codec.isBinary) return this.close("wrong_frame_kind");
    const decoded = this.codec.decode(data);
    if (decoded.kind === "unreadable") return this.#refuseUnreadable(decoded.id);
    this.#unreadable = 0;
    this.#carryOut(decoded.frame);
  }

  /** Counts a ping or pong of the websocket protocol itself. */
  receiveControl(): void {
    if (!this.#outbox.isClosed) this.#takeFromBudget();
  }

  /** Sends the updates that waited, now that the client has read some. */
  drained(): void {
    this.#outbox.count();
    this.#slots.catchUp();
  }

  offer(update: Uint8Array): boolean {
    return this.#outbox.offer(update);
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
    this.#outbox.end(CLOSE_CODES[reason], reason);
  }

  /** Ends all streams. Decisions that arrive after this are dropped. */
  closed(): void {
    this.#outbox.closed();
    this.#slots.releaseAll();
  }

  /** What the stream frames may use of this session. */
  #holder(client: ClientIp) {
    const outbox = this.#outbox;
    return {
      id: this.id,
      client,
      get isClosed() {
        return outbox.isClosed;
      },
      answer: (id: number | undefined, body: NonNullable<ServerFrameBody>) => this.#send(body, id),
      noteSubscribed: () => this.#context.noteUnsubscribed(this, false),
      release: (datasource: string) => this.#release(datasource),
    };
  }

  #takeFromBudget(): boolean {
    const budget = takeFrame(this.#budget, this.#context.clock.nowMs());
    if (budget === undefined) this.close("frame_rate");
    else this.#budget = budget;
    return budget !== undefined;
  }

  /** Ends the stream of a datasource, or drops its reservation. */
  #release(datasource: string): void {
    const wasSubscribed = this.#slots.find(datasource)?.subscription !== undefined;
    this.#slots.release(datasource);
    if (wasSubscribed && !this.#slots.hasSubscription) this.#context.noteUnsubscribed(this, true);
  }

  #carryOut({ id, body }: ClientFrame) {
    if (this.#streams.waiting >= WAITING_MAX) return this.close("frame_rate");
    switch (body.case) {
      case "subscribe":
        return this.#streams.subscribe(id, body.value);
      case "subscribeAll":
        return this.#streams.subscribeAll(id, body.value.subscriptions);
      case "unsubscribe":
        return this.#streams.unsubscribe(id, body.value.datasource);
      case "refresh":
        return this.#streams.refresh(id, body.value);
      case "ping":
        return this.#send({ case: "pong", value: {} }, id);
    }
  }

  #refuseUnreadable(id: number | undefined) {
    this.#unreadable++;
    if (this.#unreadable > UNREADABLE_FRAMES_MAX) return this.close("unreadable_frames");
    this.#send({ case: "error", value: toErrorFrame(UNREADABLE) }, id);
  }

  #send(body: NonNullable<ServerFrameBody>, id?: number) {
    if (!this.#outbox.send(body, id)) this.close("slow_reader");
  }
}

const UNREADABLE: Refusal = { code: "invalid_argument", message: "the frame could not be read" };
