import { shareKeys } from "../access/address-shares.ts";
import type { DoorOptions } from "./engine.ts";
import { type Arrival, Connection, type Wire } from "./exchange.ts";
import { jsonAnswer, retryAfterSeconds } from "./http-answer.ts";
import { WaitingConnections } from "./waiting-connections.ts";

/** The wait that a client is told when the door is full. */
const RETRY_AFTER_FULL_MS = 1_000;

/**
 * Keeps the public door for an engine. It counts connections before their first byte, gives each
 * the same time for its request however it is split, and takes one request from each.
 */
export class DoorKeeper {
  readonly #options: Pick<DoorOptions, "isProxy" | "events" | "route">;
  readonly #waiting: WaitingConnections<Connection>;

  constructor(options: Pick<DoorOptions, "bounds" | "isProxy" | "events" | "route">) {
    this.#options = options;
    this.#waiting = new WaitingConnections(options.bounds);
  }

  /** Takes a new connection. When there are too many, refuses the oldest for it. */
  meet(wire: Wire, remote: string): Connection {
    const { isProxy, events } = this.#options;
    const shareKey = isProxy(remote) ? undefined : shareKeys(remote).own;
    const connection = new Connection(wire, { remote, shareKey }, (event) => {
      this.#waiting.delete(connection);
      if (event === "late") events.shed("slow_request");
    });
    const surplus = this.#waiting.add(connection);
    if (surplus !== undefined) {
      events.shed(surplus.bound === "address" ? "connections_address" : "connections");
      surplus.connection.answer(surplus.bound === "address" ? TOO_MANY : FULL);
    }
    return connection;
  }

  /** Takes a piece of a connection's request: the head first, then bytes of the body. */
  receive(
    connection: Connection,
    { arrival, bytes, isLast }: { arrival?: Arrival | undefined; bytes: number; isLast: boolean },
  ): void {
    if (!connection.receive(arrival, bytes, isLast)) return;
    // The request is routed outside of the engine's parser.
    setImmediate(() => {
      if (connection.isOpen) this.#options.route(connection);
    });
  }

  /** Refuses every connection whose request is not complete. */
  close(): void {
    for (const connection of this.#waiting.all()) connection.answer(FULL);
  }
}

const RETRY_AFTER = { "retry-after": retryAfterSeconds(RETRY_AFTER_FULL_MS) };
const FULL = jsonAnswer(503, { code: "unavailable", message: "too many connections" }, RETRY_AFTER);
const TOO_MANY = jsonAnswer(
  429,
  { code: "rate_limited", message: "too many connections without a request" },
  RETRY_AFTER,
);
