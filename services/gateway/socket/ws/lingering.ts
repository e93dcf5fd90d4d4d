import type { Socket } from "node:net";

/** A client that is still sending reads the answer within this time. */
const LINGER_MS = 1_000;

/**
 * Connections that were answered before their request had ended. One that closes with unread bytes
 * is reset, and the client would never see the answer; so they stay for a moment, as many as may.
 */
export class Lingering {
  readonly #max: number;
  readonly #sockets = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes up a connection that has been ended; the oldest one goes where there are too many. */
  add(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    this.#sockets.add(socket);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
    const [oldest] = this.#sockets;
    if (this.#sockets.size > this.#max) oldest?.destroy();
  }
}
