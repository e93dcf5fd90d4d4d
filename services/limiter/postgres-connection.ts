import pg from "pg";

/** A statement to run: the name it was prepared under, and its parameters. */
export type Step = { name: string; values?: ReadonlyArray<Buffer | string> };

/** A row as the wire has it: texts and nulls. */
export type WireRow = ReadonlyArray<string | null>;

export type ConnectionOptions = {
  url: string;
  /** Statements by name, prepared once. */
  statements: Readonly<Record<string, string>>;
  /** Run-time settings of the session. */
  settings: Readonly<Record<string, string>>;
  connectTimeoutMs: number;
  /** Until a round trip is given up and the connection with it. */
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

/**
 * A connection that sends several prepared statements in one round trip. pg itself waits for each
 * statement's answer, or ends each with a sync of its own.
 */
export class PostgresConnection {
  readonly #client: pg.Client;
  readonly #roundTripTimeoutMs: number;
  #isUsable = true;

  private constructor(client: pg.Client, roundTripTimeoutMs: number) {
    this.#client = client;
    this.#roundTripTimeoutMs = roundTripTimeoutMs;
    const lose = () => {
      this.#isUsable = false;
    };
    client.on("error", lose);
    client.on("end", lose);
  }

  /** Connects and prepares; rejects when that takes too long. */
  static async open(options: ConnectionOptions): Promise<PostgresConnection> {
    const client = new pg.Client({
      connectionString: options.url,
      application_name: "portcullis-limiter",
      connectionTimeoutMillis: options.connectTimeoutMs,
      keepAlive: true,
      options: Object.entries(options.settings)
        .map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`)
        .join(" "),
    });
    const connection = new PostgresConnection(client, options.roundTripTimeoutMs);
    try {
      await client.connect();
      await connection.#run((wire) => {
        for (const [name, text] of Object.entries(options.statements)) wire.parse({ name, text });
      });
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** False once the connection was lost or closed. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Runs statements one after another and answers the rows of each. Stops at the first error. */
  async execute(steps: readonly Step[]): Promise<ReadonlyArray<readonly WireRow[]>> {
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

  /** Ends the connection at once, also when the other side does not answer. */
  close(): void {
    this.#isUsable = false;
    this.#client.end().catch(() => undefined);
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
        this.close();
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
