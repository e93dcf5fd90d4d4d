import type { Socket } from "node:net";

/** The time in which a client that is still sending can read the answer. */
const LINGER_MS = 1_000;

/**
 * Connections that were answered before their request had ended. Closing one with unread bytes
 * resets it, and the client would lose the answer; so a bounded number stays open for a moment.
 */
export class Lingering {
  readonly #max: number;
  readonly #sockets = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Adds an answered connection. When there are too many, destroys the oldest. */
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
