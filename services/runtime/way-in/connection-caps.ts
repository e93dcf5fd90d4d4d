import type { Socket } from "node:net";

export type ConnectionBounds = {
  /** All connections of the door. */
  max: number;
  /** Connections from one address that is not a proxy's. */
  perAddressMax: number;
  /** After this time a stranger's connection ends with its next answer. */
  ageMaxMs: number;
};

/** What the address of a connection says about its other end. */
export type PeerKind =
  /** A proxy that the configuration names: it carries many clients. */
  | "proxy"
  /** Perhaps a proxy: hops are configured, but not the addresses of the proxies. */
  | "maybe-proxy"
  | "client";

/** What the door records about one connection. */
export type Connection = {
  readonly address: string;
  readonly kind: PeerKind;
  readonly openedAtMs: number;
  /** Requests on it that are in flight. */
  requests: number;
  /** A known caller has used it. */
  isProven: boolean;
};

/**
 * Bounds the connections of a door, in total and by address. Over a bound, a new connection
 * replaces the one that has waited longest without a request, among those that no known caller has
 * used. If there is none, the new connection is closed. So clients that only hold connections keep
 * nobody out.
 */
export class ConnectionCaps {
  readonly #bounds: ConnectionBounds;
  readonly #connections = new Map<Socket, Connection>();
  readonly #byAddress = new Map<string, Set<Socket>>();
  /** Connections that may be closed for a new one, longest waiting first. */
  readonly #waiting = new Set<Socket>();

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Admits a new connection. Returns how many were closed, the new one included. */
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

  /** A request began on a connection. */
  began(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.requests++;
    this.#waiting.delete(socket);
  }

  /** A request on a connection ended, answered or not. */
  ended(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.requests--;
    if (connection.requests > 0 || connection.isProven || connection.kind === "proxy") return;
    this.#waiting.add(socket);
  }

  /** Whether a connection has reached its maximum age and must end with its next answer. */
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
