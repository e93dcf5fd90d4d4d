import type pg from "pg";
import { isBackendGone } from "../../runtime/backend-inspector.ts";
import type { BackendPlaces } from "../../runtime/backend-places.ts";
import { HeldClient } from "../../runtime/held-client.ts";
import {
  enforceSettings,
  refuseSharedSession,
  type SessionSettings,
} from "../../runtime/session-settings.ts";

/** A statement to run: the name it was prepared under, and its parameters. */
export type Step = { name: string; values?: ReadonlyArray<Buffer | string> };

/** A row as the wire has it: texts and nulls. */
export type WireRow = ReadonlyArray<string | null>;

export type ConnectionOptions = {
  url: string;
  /** Where the connection is counted. */
  places: BackendPlaces;
  /** Statements by name, prepared once. */
  statements: Readonly<Record<string, string>>;
  /** Run-time settings of the session, which are verified. */
  settings: SessionSettings;
  /** Until a network that accepts no connection is given up. */
  connectTimeoutMs: number;
  /** Until a round trip is given up: its answer is dropped whenever it comes. */
  roundTripTimeoutMs: number;
};

/** What of a connection of pg is used here; its types lack that arguments are optional. */
type Wire = {
  parse(statement: { name: string; text: string }): void;
  bind(statement: { statement: string; values: ReadonlyArray<Buffer | string> }): void;
  execute(): void;
  sync(): void;
  stream: { cork(): void; uncork(): void };
};

/** The connection is held by a backend that does not answer. */
export class ConnectionHeldError extends Error {
  override name = "ConnectionHeldError";
  /** connection_exception: nothing can be decided on this connection now. */
  readonly code = "08000";

  constructor(reason: string) {
    super(`the database connection ${reason}`);
  }
}

/**
 * A connection that sends several prepared statements in one round trip. pg itself waits for each
 * statement's answer, or ends each with a sync of its own.
 */
export class PostgresConnection {
  /** Resolves when the backend is known to be gone; until then no other may take its place. */
  readonly gone: Promise<void>;
  readonly #client: HeldClient;
  readonly #roundTripTimeoutMs: number;
  #isUsable = true;
  #isEnding = false;

  private constructor(client: HeldClient, roundTripTimeoutMs: number) {
    this.#client = client;
    this.#roundTripTimeoutMs = roundTripTimeoutMs;
    this.gone = client.gone;
    const lose = () => {
      this.#isUsable = false;
      this.#isEnding = true;
    };
    client.on("error", lose);
    client.on("end", lose);
  }

  /**
   * Connects, verifies the session and prepares, however long the server takes to let it in. One
   * that fails half-way is gone when this rejects, or keeps its place until it is.
   */
  static async open(options: ConnectionOptions): Promise<PostgresConnection> {
    const { settings, statements, places, connectTimeoutMs, roundTripTimeoutMs } = options;
    const client = new HeldClient({
      connectionString: options.url,
      application_name: "portcullis-limiter",
      places,
      connectTimeoutMs,
      isBackendGone,
    });
    const connection = new PostgresConnection(client, roundTripTimeoutMs);
    try {
      await client.open();
      await enforceSettings(client, settings);
      await connection.#run((wire) => {
        for (const [name, text] of Object.entries(statements)) wire.parse({ name, text });
      });
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** False while a round trip that was given up has not ended, and once the connection is lost. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Rejects when a pooler gives this session to others too. */
  async refuseShared(): Promise<void> {
    await refuseSharedSession(this.#client);
  }

  /**
   * Runs statements one after another and answers the rows of each. Stops at the first error.
   * Rejects at once while the connection is not usable: nothing may wait behind a statement that
   * was given up.
   */
  async execute(steps: readonly Step[]): Promise<ReadonlyArray<readonly WireRow[]>> {
    if (!this.#isUsable) throw new ConnectionHeldError("still does what was given up");
    return await this.#send(steps);
  }

  async #send(steps: readonly Step[]): Promise<ReadonlyArray<readonly WireRow[]>> {
    return await this.#run((wire) => {
      for (const { name, values = [] } of steps) {
        wire.bind({ statement: name, values });
        wire.execute();
      }
    });
  }

  /** Leaves a failed transaction, or gives the connection up. */
  async rollBack(): Promise<void> {
    if (!this.#isUsable) return;
    try {
      await this.execute([{ name: "roll_back" }]);
    } catch {
      // Whatever state it is in, it ends with the connection.
      this.close();
    }
  }

  /** Ends the connection as soon as the server has answered what it was asked. */
  close(): void {
    this.#isUsable = false;
    this.#isEnding = true;
    this.#client.end().catch(() => undefined);
  }

  /** Whatever the server did by then is dropped; the connection serves again once it has ended. */
  async #giveUp(): Promise<void> {
    this.#isUsable = false;
    const mayGoOn = await this.#client.abandon();
    if (this.#isEnding) return;
    if (!mayGoOn) this.close();
    else if (this.#client.getTransactionStatus() === "I") this.#isUsable = true;
    else {
      // Nobody else may use the connection before.
      await this.#send([{ name: "roll_back" }]);
      this.#isUsable = !this.#isEnding;
    }
  }

  #run(send: (wire: Wire) => void): Promise<ReadonlyArray<readonly WireRow[]>> {
    return new Promise((resolve, reject) => {
      const rows: WireRow[][] = [[]];
      let isDone = false;
      // An answer may have arrived while this process was busy: look before giving up.
      const timer = setTimeout(() => setImmediate(giveUp), this.#roundTripTimeoutMs);
      const giveUp = () => {
        if (isDone) return;
        reject(new Error("timeout of a round trip to the database"));
        this.#giveUp().catch(() => this.close());
      };
      this.#client.query({
        callback: (error: Error | null) => {
          isDone = true;
          clearTimeout(timer);
          if (error) reject(error);
          else resolve(rows);
        },
        submit(connection: pg.Connection) {
          const wire = connection as unknown as Wire;
          wire.stream.cork();
          send(wire);
          wire.sync();
          wire.stream.uncork();
        },
        handleDataRow(message: { fields: WireRow }) {
          rows.at(-1)?.push(message.fields);
        },
        handleCommandComplete() {
          rows.push([]);
        },
        handleReadyForQuery() {
          this.callback(null);
        },
        handleError(error: Error) {
          this.callback(error);
        },
      });
    });
  }
}
