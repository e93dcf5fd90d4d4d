import type { Socket } from "node:net";
import type { RawData, WebSocket } from "ws";
import type { SessionSocket } from "../../session/outbox.ts";
import { BACKPRESSURE_BYTES_MAX } from "../engine.ts";
import type { BeginSession, SocketEvents } from "../exchange.ts";
import type { IdleSockets, QuietSocket } from "./idle-sockets.ts";

/** One websocket of the library; reports its events to the session. */
export class OpenSocket implements SessionSocket, QuietSocket {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #idle: IdleSockets;
  #events: SocketEvents | undefined;
  /** Whether bytes wait for the client to read. */
  #isBehind = false;

  constructor(ws: WebSocket, socket: Socket, idle: IdleSockets) {
    this.#ws = ws;
    this.#socket = socket;
    this.#idle = idle;
  }

  start(begin: BeginSession): void {
    const ws = this.#ws;
    ws.on("message", (data, isBinary) => this.#events?.message(bytesOf(data), isBinary));
    ws.on("ping", (data) => {
      this.#events?.control();
      if (this.#events !== undefined && ws.bufferedAmount <= BACKPRESSURE_BYTES_MAX) ws.pong(data);
    });
    ws.on("pong", () => this.#events?.control());
    // The library has already sent a close frame with the reason.
    ws.on("error", (error: Error & { code?: string }) => {
      this.#socket.end();
      this.#finish(BROKEN[error.code ?? ""] ?? PROTOCOL_ERROR);
    });
    ws.on("close", (code) => this.#finish(code));
    this.#idle.add(this);
    const events = begin(this);
    this.#events = events;
    events.opened();
  }

  send(data: Uint8Array, isBinary: boolean): void {
    const ws = this.#ws;
    // Nothing is sent after the client's close frame.
    if (ws.readyState !== ws.OPEN) return;
    ws.send(data, { binary: isBinary, compress: false }, this.#written);
    if (ws.bufferedAmount > 0) this.#isBehind = true;
  }

  bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  end(code: number, reason: string): void {
    this.#ws.close(code, reason);
    this.#finish(code);
  }

  bytesRead(): number {
    return this.#socket.bytesRead;
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  cut(): void {
    this.#ws.terminate();
    this.#finish(LOST);
  }

  readonly #written = (): void => {
    if (!this.#isBehind) return;
    this.#isBehind = this.#ws.bufferedAmount > 0;
    this.#events?.drained();
  };

  #finish(code: number): void {
    const events = this.#events;
    this.#events = undefined;
    this.#idle.delete(this);
    events?.closed(code);
  }
}

/** Close codes of RFC 6455: lost without a close frame, and a protocol error. */
const LOST = 1006;
const PROTOCOL_ERROR = 1002;

const BROKEN: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  ECONNRESET: LOST,
  EPIPE: LOST,
};

/** The library delivers one buffer, unless it is configured for other types. */
function bytesOf(data: RawData): Uint8Array {
  return data instanceof Uint8Array ? data : new Uint8Array();
}
