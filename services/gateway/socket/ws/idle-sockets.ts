import { IDLE_TIMEOUT_S } from "../engine.ts";

/** A websocket that may have gone quiet. */
export type QuietSocket = {
  /** Grows whenever the client sends something. */
  bytesRead(): number;
  ping(): void;
  cut(): void;
};

const IDLE_TIMEOUT_MS = IDLE_TIMEOUT_S * 1_000;
/** A client that has sent nothing for this long gets a ping. */
const PING_AFTER_MS = IDLE_TIMEOUT_MS / 2;
/** How often the sockets are checked; a timeout may be late by this much. */
const SWEEP_MS = 4_000;

/** Pings quiet clients, and cuts those that do not answer. */
export class IdleSockets {
  readonly #sockets = new Map<QuietSocket, { bytes: number; sinceMs: number; isAsked: boolean }>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.sweep(performance.now()), SWEEP_MS).unref();
  }

  get size(): number {
    return this.#sockets.size;
  }

  add(socket: QuietSocket, nowMs = performance.now()): void {
    this.#sockets.set(socket, { bytes: socket.bytesRead(), sinceMs: nowMs, isAsked: false });
  }

  delete(socket: QuietSocket): void {
    this.#sockets.delete(socket);
  }

  sweep(nowMs: number): void {
    for (const [socket, quiet] of this.#sockets) {
      const bytes = socket.bytesRead();
      if (bytes !== quiet.bytes) {
        Object.assign(quiet, { bytes, sinceMs: nowMs, isAsked: false });
      } else if (nowMs - quiet.sinceMs >= IDLE_TIMEOUT_MS) {
        socket.cut();
      } else if (nowMs - quiet.sinceMs >= PING_AFTER_MS && !quiet.isAsked) {
        quiet.isAsked = true;
        socket.ping();
      }
    }
  }

  /** Stops the checks. Sockets that are still open can be deleted after that. */
  stop(): void {
    clearInterval(this.#timer);
  }
}
