import type { Socket } from "node:net";

export type ConnectionBounds = {
  /** Connections of the door in all. */
  max: number;
  /** Connections from one address that is no proxy. */
  perAddressMax: number;
  /** How long a stranger's connection is kept, however busy. */
  ageMaxMs: number;
};

/** Who is at the other end of a connection, as far as its address tells. */
export type PeerKind =
  /** A proxy that the configuration names: it carries many clients. */
  | "proxy"
  /** Perhaps a proxy: some are configured, but not which. */
  | "maybe-proxy"
  | "client";

/** What the door keeps of one connection. */
export type Connection = {
  readonly address: string;
  readonly kind: PeerKind;
  readonly openedAtMs: number;
  /** Requests on it that are not answered yet. */
  requests: number;
  /** A known caller spoke on it. */
  isProven: boolean;
};

/**
 * Bounds the connections of a door, in all and from one address. A newcomer over a bound takes the
 * place of the connection that has been waiting longest without a request and without ever having
 * shown a known caller; where there is none, the newcomer is closed. So whoever only holds
 * connections keeps nobody out.
 */
export class ConnectionCaps {
  readonly #bounds: ConnectionBounds;
  readonly #connections = new Map<Socket, Connection>();
  readonly #byAddress = new Map<string, Set<Socket>>();
  /** Those that may be closed for a newcomer; the one that waits longest is first. */
  readonly #waiting = new Set<Socket>();

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Takes up a new connection; answers how many were closed for it, itself included. */
  admit(socket: Socket, address: string, kind: PeerKind, nowMs: number): number {
    let closed = 0;
    const ofAddress = this.#byAddress.get(address);
    const { max, perAddressMax } = this.#bounds;
    if (kind === "client" && (ofAddress?.size ?? 0) >= perAddressMax) {
      closed += this.#closeFirst(ofAddress ?? []);
      if (closed === 0) return refuse(socket);
    }
    if (this.#connections.size >= max) {
      const freed = this.#closeFirst(this.#waiting);
      if (freed === 0) return closed + refuse(socket);
      closed += freed;
    }
    this.#connections.set(socket, {
      ...{ address, kind, openedAtMs: nowMs, requests: 0, isProven: false },
    });
    const addresses = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, addresses.add(socket));
    if (kind !== "proxy") this.#waiting.add(socket);
    socket.once("close", () => this.#forget(socket));
    return closed;
  }

  find(socket: Socket): Connection | undefined {
    return this.#connections.get(socket);
  }

  /** A request has come in on a connection. */
  began(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.requests++;
    this.#waiting.delete(socket);
  }

  /** A request on it was answered, or given up. */
  ended(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.requests--;
    if (connection.requests > 0 || connection.isProven || connection.kind === "proxy") return;
    this.#waiting.add(socket);
  }

  /** Whether a connection has served long enough and ends with its next answer. */
  isOld(socket: Socket, nowMs: number): boolean {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isProven || connection.kind === "proxy") {
      return false;
    }
    return nowMs - connection.openedAtMs > this.#bounds.ageMaxMs;
  }

  #closeFirst(candidates: Iterable<Socket>): number {
    for (const socket of candidates) {
      if (!this.#waiting.has(socket)) continue;
      this.#forget(socket);
      return refuse(socket);
    }
    return 0;
  }

  #forget(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    this.#connections.delete(socket);
    this.#waiting.delete(socket);
    const ofAddress = this.#byAddress.get(connection.address);
    ofAddress?.delete(socket);
    if (ofAddress?.size === 0) this.#byAddress.delete(connection.address);
  }
}

function refuse(socket: Socket): number {
  socket.destroy();
  return 1;
}
