import { setTimeout as sleep } from "node:timers/promises";
import { BackendPlaces } from "../../runtime/backend-places.ts";
import {
  ConnectionHeldError,
  type ConnectionOptions,
  PostgresConnection,
} from "./postgres-connection.ts";

/** A server in the middle of its work is given so long to close connections that say good-bye. */
const CLOSE_MS_MAX = 1_000;

type Slot = {
  connection: PostgresConnection | undefined;
  opening: Promise<PostgresConnection> | undefined;
  openedSinceMs: number;
};

/**
 * Connections by number, each of which does one thing at a time. A connection that is lost is made
 * anew when its backend is known to be gone, and never before.
 */
export class PostgresSlots {
  readonly #slots: readonly Slot[];
  readonly #places: BackendPlaces;
  readonly #options: Omit<ConnectionOptions, "places">;
  readonly #onOpen: (connection: PostgresConnection) => Promise<void>;
  #isClosing = false;

  constructor(
    options: Omit<ConnectionOptions, "places"> & {
      count: number;
      onOpen: (connection: PostgresConnection) => Promise<void>;
    },
  ) {
    this.#options = options;
    this.#onOpen = options.onOpen;
    this.#places = new BackendPlaces("portcullis-limiter", options.count);
    this.#slots = Array.from({ length: options.count }, () => ({
      connection: undefined,
      opening: undefined,
      openedSinceMs: 0,
    }));
  }

  /** Opens all, the first one first: what is wrong with it is wrong with all. */
  async openAll(): Promise<void> {
    const first = await this.get(0);
    await first.refuseShared();
    await Promise.all(this.#slots.map(async (_, index) => await this.get(index)));
  }

  /** The connection of a slot; rejects at once while its backend does not answer. */
  async get(index: number): Promise<PostgresConnection> {
    const slot = this.#slots[index];
    if (slot === undefined) throw new Error(`no slot ${index}`);
    if (slot.connection?.isUsable) return slot.connection;
    if (slot.connection !== undefined)
      throw new ConnectionHeldError("still does what was given up");
    if (this.#isClosing) throw new ConnectionHeldError("is closed");
    if (slot.opening === undefined) this.#open(slot);
    return await this.#opened(slot);
  }

  #open(slot: Slot): void {
    slot.openedSinceMs = performance.now();
    const open = async () => {
      const connection = await PostgresConnection.open({ ...this.#options, places: this.#places });
      await this.#onOpen(connection);
      slot.connection = connection;
      if (this.#isClosing) connection.close();
      const forget = () => {
        slot.connection = undefined;
      };
      connection.gone.then(forget, forget);
      return connection;
    };
    const opening = open().finally(() => {
      slot.opening = undefined;
    });
    // Nobody may wait for it by the time it fails.
    opening.catch(() => undefined);
    slot.opening = opening;
  }

  async #opened(slot: Slot): Promise<PostgresConnection> {
    const waitedMs = performance.now() - slot.openedSinceMs;
    const leftMs = this.#options.connectTimeoutMs - waitedMs;
    const timeout = new AbortController();
    const late = sleep(Math.max(0, leftMs), undefined, { signal: timeout.signal });
    late.catch(() => undefined);
    try {
      const connection = await Promise.race([slot.opening, late]);
      if (connection === undefined) throw new ConnectionHeldError("is not accepted in time");
      return connection;
    } finally {
      timeout.abort();
    }
  }

  /** Ends all connections, and waits for the server to close them, unless that takes long. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const connections = this.#slots.flatMap(({ connection }) => connection ?? []);
    for (const connection of connections) connection.close();
    const gone = Promise.all(connections.map(async (connection) => await connection.gone));
    const timeout = new AbortController();
    // It keeps the process going: connections that say good-bye do not.
    const late = sleep(CLOSE_MS_MAX, undefined, { signal: timeout.signal });
    late.catch(() => undefined);
    await Promise.race([gone, late]);
    timeout.abort();
  }
}
