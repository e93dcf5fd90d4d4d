import { type FrameCodec, type ServerFrameBody, serverFrame } from "../streams/frame-codec.ts";
import type { SendBuffers } from "./send-buffers.ts";

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

/** Sends a session's frames, and bounds the bytes that wait for its client to read. */
export class Outbox {
  readonly #socket: SessionSocket;
  readonly #codec: FrameCodec;
  /** The bytes that wait for all clients together. */
  readonly #buffers: SendBuffers;
  /** The bytes that waited for this client when they were last counted. */
  #bufferedBytes = 0;
  #isClosed = false;

  constructor(socket: SessionSocket, codec: FrameCodec, buffers: SendBuffers) {
    this.#socket = socket;
    this.#codec = codec;
    this.#buffers = buffers;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a control frame; false when the client reads too slowly for that. */
  send(body: NonNullable<ServerFrameBody>, id: number | undefined): boolean {
    if (this.#isClosed) return true;
    const max = this.#buffers.isFull ? CONTROL_BUFFERED_BYTES_MIN : CONTROL_BUFFERED_BYTES_MAX;
    if (this.#socket.bufferedBytes() > max) return false;
    this.#socket.send(this.#codec.encode(serverFrame(body, id)), this.#codec.isBinary);
    this.count();
    return true;
  }

  /** Sends an encoded update; false when the client has to read first. */
  offer(update: Uint8Array): boolean {
    const max = this.#buffers.isFull ? 0 : UPDATES_BUFFERED_BYTES_MAX;
    if (this.#socket.bufferedBytes() > max) return false;
    this.#socket.send(update, this.#codec.isBinary);
    this.count();
    return true;
  }

  /** Counts the bytes that wait for the client now. */
  count(): void {
    if (!this.#isClosed) this.#note(this.#socket.bufferedBytes());
  }

  /** Sends a close frame. */
  end(code: number, reason: string): void {
    if (!this.#isClosed) this.#socket.end(code, reason);
  }

  /** Notes that the connection has closed: it is not used any more. */
  closed(): void {
    this.#isClosed = true;
    this.#note(0);
  }

  #note(bytes: number): void {
    this.#buffers.change(this.#bufferedBytes, bytes);
    this.#bufferedBytes = bytes;
  }
}
