import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { BackendPlace, BackendPlaces } from "./backend-places.ts";
import { type Cancelled, cancelBackend } from "./cancel-backend.ts";
import type {} from "./pg-internals.ts";

/** Identifies one backend: no other one has the same process and start time. */
export type BackendIdentity = { processId: number; startedAt: string };

export type HeldClientConfig = pg.ClientConfig & {
  places: BackendPlaces;
  /** How long `connect()` waits before it rejects. */
  connectTimeoutMs: number;
  /** Asks the server whether a silent backend is gone. If unset, nobody asks. */
  isBackendGone?: (like: pg.Client, backend: BackendIdentity) => Promise<boolean>;
};

/** Every place is held, by running statements or by abandoned ones that have not ended. */
export class NoPlaceError extends Error {
  override name = "NoPlaceError";
  /** too_many_connections, the SQLSTATE that the server would send. */
  readonly code = "53300";

  constructor(places: BackendPlaces) {
    super(`all ${places.max} database connections of ${places.name} are held`);
  }
}

/**
 * The server has closed unfinished sign-ins by then: twice the default of its
 * `authentication_timeout`.
 */
const SIGN_IN_MS_MAX = 120_000;
/** Delays between requests to cancel the same statement; the last one repeats. */
const CANCEL_AGAIN_MS = [250, 500, 1_000, 2_000, 5_000];
/** A backend that ignores cancels this long may be gone without having closed the connection. */
const INSPECT_AFTER_MS = 5_000;
/** Idle time after which TCP checks whether the other side is still there. */
const KEEP_ALIVE_MS = 10_000;

/**
 * A client that keeps its place among the backends of this process until its backend is known to be
 * gone: the server closed the connection, or never accepted it. It closes no connection on which
 * the server still works, because that does not end the work: a commit that waits for a standby
 * keeps waiting.
 */
export class HeldClient extends pg.Client {
  /** Set once the server has sent it. Needed to inspect a silent backend. */
  identity: BackendIdentity | undefined;
  /** Resolves when the backend is known to be gone. */
  readonly gone: Promise<void>;
  readonly #places: BackendPlaces;
  readonly #connectTimeoutMs: number;
  readonly #isBackendGone: HeldClientConfig["isBackendGone"];
  #place: BackendPlace | undefined;
  #resolveGone: () => void = () => undefined;
  #isClosed = false;
  #isKnownGone = false;
  #abandoned: Promise<boolean> | undefined;

  constructor(config: HeldClientConfig) {
    super({
      ...config,
      // With a timeout, pg would destroy the connection.
      connectionTimeoutMillis: 0,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    });
    // pg lets the URL override this timeout; ours must win.
    this.connectionParameters.query_timeout = config.query_timeout;
    this.#places = config.places;
    this.#connectTimeoutMs = config.connectTimeoutMs;
    this.#isBackendGone = config.isBackendGone;
    this.gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
  }

  /** The process id that the server, or a pooler in front of it, sent. */
  get namedProcessId(): number {
    return this.processID ?? 0;
  }

  /** Whether a statement is in flight. */
  get isBusy(): boolean {
    return !this.#isClosed && this.readyForQuery === false;
  }

  /** Rejects after `connectTimeoutMs`. A connection that opens later is closed again. */
  override connect(): Promise<pg.Client>;
  override connect(
    callback: ((error: Error) => void) | ((error: null, c: pg.Client) => void),
  ): void;
  override connect(callback?: unknown): Promise<pg.Client> | undefined {
    const connected = this.#connectInTime();
    if (typeof callback !== "function") return connected;
    connected.then(
      (client) => callback(null, client),
      (error) => callback(error),
    );
    return undefined;
  }

  async #connectInTime(): Promise<pg.Client> {
    const opened = this.open();
    const timeout = new AbortController();
    const late = sleep(this.#connectTimeoutMs, "late", { signal: timeout.signal });
    late.catch(() => undefined);
    try {
      if ((await Promise.race([opened, late])) !== "late") return this;
    } finally {
      timeout.abort();
    }
    if (this.#place !== undefined) this.#place.isAbandoned = true;
    opened.then(
      async () => await this.end(),
      () => undefined,
    );
    throw new Error("timeout of a connection to the database");
  }

  /** Connects, however long the sign-in takes. Rejects with NoPlaceError if all places are held. */
  async open(): Promise<void> {
    const place = this.#places.take();
    if (place === undefined) throw new NoPlaceError(this.#places);
    this.#place = place;
    const { connection } = this;
    connection.once("end", () => this.#closed(place));
    // Without a listener an error would end the process. The connection's `end` follows it.
    this.on("error", () => undefined);
    const signIn = setTimeout(() => connection.stream.destroy(), SIGN_IN_MS_MAX).unref();
    // Until the server has accepted the connection, there is no backend.
    const accept = setTimeout(() => {
      const { stream } = connection;
      if ("connecting" in stream && stream.connecting === true) {
        stream.destroy(new Error("timeout of a connection to the database"));
      }
    }, this.#connectTimeoutMs);
    try {
      await super.connect();
    } finally {
      clearTimeout(signIn);
      clearTimeout(accept);
    }
  }

  /**
   * Abandons the statement in flight: sends cancel requests until the server has answered. Resolves
   * to whether the connection can be used again.
   */
  abandon(): Promise<boolean> {
    this.#abandoned ??= this.#cancelUntilAnswered().finally(() => {
      this.#abandoned = undefined;
    });
    return this.#abandoned;
  }

  async #cancelUntilAnswered(): Promise<boolean> {
    const place = this.#place;
    if (place === undefined || this.#isClosed) return false;
    place.isAbandoned = true;
    const startedAtMs = performance.now();
    let isHeard = true;
    for (let attempt = 0; this.isBusy; attempt++) {
      // A cancel that may still arrive would interrupt the next statement.
      if ((await this.#cancel()) !== "heard") isHeard = false;
      await this.#waitForAnswer(CANCEL_AGAIN_MS[attempt] ?? CANCEL_AGAIN_MS.at(-1) ?? 0);
      if (this.isBusy && performance.now() - startedAtMs > INSPECT_AFTER_MS) await this.#inspect();
    }
    if (this.#isClosed) return false;
    place.isAbandoned = false;
    return isHeard;
  }

  async #cancel(): Promise<Cancelled> {
    const { processID, secretKey } = this;
    if (processID === null || secretKey === null) return "refused";
    const { host, port, ssl } = this;
    return await cancelBackend({ host, port, ssl, processId: processID, secretKey });
  }

  /** Waits until the server has answered or closed the connection, at most `timeoutMs`. */
  async #waitForAnswer(timeoutMs: number): Promise<void> {
    if (!this.isBusy) return;
    const { connection } = this;
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        connection.off("readyForQuery", finish);
        connection.off("end", finish);
        // Lets pg's client handle the event first.
        setImmediate(resolve);
      };
      const timer = setTimeout(finish, timeoutMs).unref();
      connection.on("readyForQuery", finish);
      connection.on("end", finish);
    });
  }

  async #inspect(): Promise<void> {
    const { identity } = this;
    if (identity === undefined || !(await this.#isBackendGone?.(this, identity))) return;
    this.#isKnownGone = true;
    this.connection.stream.destroy();
  }

  /** Ends the session once the server has answered, so that the server closes the connection. */
  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: unknown): Promise<void> | undefined {
    const ended = this.#end();
    if (typeof callback !== "function") return ended;
    // The pool need not wait: it counts held places.
    process.nextTick(callback);
    ended.catch(() => undefined);
    return undefined;
  }

  async #end(): Promise<void> {
    while (this.isBusy) await this.abandon();
    if (this.#isClosed || this.#place === undefined) return;
    // An ending connection must not keep this process alive.
    const { stream } = this.connection;
    if ("unref" in stream && typeof stream.unref === "function") stream.unref();
    await super.end();
  }

  #closed(place: BackendPlace): void {
    // Runs before pg handles the end, so `isBusy` still tells whether a statement was in flight.
    const wasBusy = this.isBusy && this.processID !== null && !this.#isKnownGone;
    this.#isClosed = true;
    const leave = () => {
      place.free();
      this.#resolveGone();
    };
    if (!wasBusy) leave();
    else this.#cancelUntilHeard(place).then(leave, leave);
  }

  /** Cancels until the server hears it: a backend with a broken connection may wait in a commit. */
  async #cancelUntilHeard(place: BackendPlace): Promise<void> {
    place.isAbandoned = true;
    for (let attempt = 0; (await this.#cancel()) === "unknown"; attempt++) {
      const delayMs = CANCEL_AGAIN_MS[attempt] ?? CANCEL_AGAIN_MS.at(-1) ?? 0;
      await sleep(delayMs, undefined, { ref: false });
    }
  }
}
