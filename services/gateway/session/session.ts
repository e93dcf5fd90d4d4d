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
import { type FrameCodec, type ServerFrameBody, serverFrame } from "../streams/frame-codec.ts";
import type { EndReason, Subscriber, Subscription } from "../streams/subscription.ts";
import type { Schedule } from "./schedule.ts";
import type { SendBuffers } from "./send-buffers.ts";
import { StreamFrames, type StreamFramesContext } from "./stream-frames.ts";
import { SubscriptionSlots } from "./subscription-slots.ts";

/** How often clients are asked to send a ping: most proxies drop what is silent for a minute. */
const PING_INTERVAL_MS = 25_000;
/** The largest client frame; the largest honest one carries a token of at most 8 KiB. */
export const FRAME_BYTES_MAX = 16 * 1024;
/** Frames of one session that wait for an earlier one: as many as it may send at once. */
const WAITING_MAX = FRAMES_BURST;
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
export type SessionContext = StreamFramesContext & {
  schedule: Schedule;
  buffers: SendBuffers;
  /** Told when a session has lost its last subscription, or got its first. */
  noteUnsubscribed(session: Session, isUnsubscribed: boolean): void;
};

/**
 * One client on one connection: what it may send, what it is subscribed to, and what it is told.
 * Driven by events alone: `receive`, `drained`, `closed`, and the expiry it schedules.
 */
export class Session implements Subscriber {
  readonly id: string;
  readonly codec: FrameCodec;
  readonly #socket: SessionSocket;
  readonly #context: SessionContext;
  readonly #slots: SubscriptionSlots;
  readonly #streams: StreamFrames;
  #budget: FrameBudget;
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
    this.#socket = socket;
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

  /** What carrying out frames may use of this session. */
  #holder(client: ClientIp) {
    const isClosed = () => this.#isClosed;
    return {
      id: this.id,
      client,
      get isClosed() {
        return isClosed();
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
    if (this.#isClosed) return;
    const isFull = this.#context.buffers.isFull;
    const max = isFull ? CONTROL_BUFFERED_BYTES_MIN : CONTROL_BUFFERED_BYTES_MAX;
    if (this.#socket.bufferedBytes() > max) return this.close("slow_reader");
    this.#socket.send(this.codec.encode(serverFrame(body, id)), this.codec.isBinary);
    if (!this.#isClosed) this.#noteBuffered(this.#socket.bufferedBytes());
  }
}

const UNREADABLE: Refusal = { code: "invalid_argument", message: "the frame could not be read" };
