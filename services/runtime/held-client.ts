import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { BackendPlace, BackendPlaces } from "./backend-places.ts";
import { type Cancelled, cancelBackend } from "./cancel-backend.ts";
import type {} from "./pg-internals.ts";

/** A backend, by what no other one ever has. */
export type BackendIdentity = { processId: number; startedAt: string };

export type HeldClientConfig = pg.ClientConfig & {
  places: BackendPlaces;
  /** Until who asked for the connection is told that there is none. */
  connectTimeoutMs: number;
  /** Tells whether a backend that keeps silent is gone; unset when nobody may look. */
  isBackendGone?: (like: pg.Client, backend: BackendIdentity) => Promise<boolean>;
};

/** Every place is held: by statements that run, or that were given up and have not ended. */
export class NoPlaceError extends Error {
  override name = "NoPlaceError";
  /** too_many_connections, as the server would say. */
  readonly code = "53300";

  constructor(places: BackendPlaces) {
    super(`all ${places.max} database connections of ${places.name} are held`);
  }
}

/**
 * By then a server has ended what did not sign in: twice the default of its
 * `authentication_timeout`.
 */
const SIGN_IN_MS_MAX = 120_000;
/** When to ask again to cancel what has not ended yet. */
const CANCEL_AGAIN_MS = [250, 500, 1_000, 2_000, 5_000];
/** A backend that does not answer to cancels for so long may be gone without a word. */
const INSPECT_AFTER_MS = 5_000;
/** Silence after which the system asks whether the other side is still there. */
const KEEP_ALIVE_MS = 10_000;

/**
 * A client that keeps its place among the backends of this process until its backend is known to
 * be gone: the server has closed the connection, or never had it. It closes no connection on which
 * the server still works, because that does not end the work: a commit that waits for a standby
 * goes on for as long as it waits.
 */
export class HeldClient extends pg.Client {
  /** Set once known; lets a silent backend be looked for. */
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
      // pg would close the connection in both cases.
      connectionTimeoutMillis: 0,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    });
    // The URL must not have the last word on how long this process waits.
    this.connectionParameters.query_timeout = config.query_timeout;
    this.#places = config.places;
    this.#connectTimeoutMs = config.connectTimeoutMs;
    this.#isBackendGone = config.isBackendGone;
    this.gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
  }

  /** The process that the server, or a pooler in front of it, named. */
  get namedProcessId(): number {
    return this.processID ?? 0;
  }

  /** Whether the server has not answered yet. */
  get isBusy(): boolean {
    return !this.#isClosed && this.readyForQuery === false;
  }

  /** Connects for whoever can wait; a connection that comes too late for them is closed again. */
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

  /** Connects, however long the server takes to let it in. */
  async open(): Promise<void> {
    const place = this.#places.take();
    if (place === undefined) throw new NoPlaceError(this.#places);
    this.#place = place;
    const { connection } = this;
    connection.once("end", () => this.#closed(place));
    // Without a listener an error would end the process; the connection's end tells enough.
    this.on("error", () => undefined);
    const signIn = setTimeout(() => connection.stream.destroy(), SIGN_IN_MS_MAX).unref();
    // As long as the other side has not accepted, there is no backend.
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
   * Gives up waiting for what is under way, and has the server interrupt it until it has ended.
   * Resolves to whether the connection can be used again.
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
      // One that may still arrive would interrupt what is asked next.
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

  /** Waits until the server has answered or closed the connection, or for a time. */
  async #waitForAnswer(timeoutMs: number): Promise<void> {
    if (!this.isBusy) return;
    const { connection } = this;
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        connection.off("readyForQuery", finish);
        connection.off("end", finish);
        // After the client has seen it too.
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

  /** Says good-bye once the server has answered; it is then the server that closes. */
  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: unknown): Promise<void> | undefined {
    const ended = this.#end();
    if (typeof callback !== "function") return ended;
    // The pool need not wait for it: it looks at the places.
    process.nextTick(callback);
    ended.catch(() => undefined);
    return undefined;
  }

  async #end(): Promise<void> {
    while (this.isBusy) await this.abandon();
    if (this.#isClosed || this.#place === undefined) return;
    // What was given up must not keep this process from ending.
    const { stream } = this.connection;
    if ("unref" in stream && typeof stream.unref === "function") stream.unref();
    await super.end();
  }

  #closed(place: BackendPlace): void {
    // Asked before anybody else sees the end: an answer that is outstanding stays so.
    const wasBusy = this.isBusy && this.processID !== null && !this.#isKnownGone;
    this.#isClosed = true;
    const leave = () => {
      place.free();
      this.#resolveGone();
    };
    if (!wasBusy) leave();
    else this.#cancelUntilHeard(place).then(leave, leave);
  }

  /** A backend whose connection broke may still wait in a commit. */
  async #cancelUntilHeard(place: BackendPlace): Promise<void> {
    place.isAbandoned = true;
    for (let attempt = 0; (await this.#cancel()) === "unknown"; attempt++) {
      const delayMs = CANCEL_AGAIN_MS[attempt] ?? CANCEL_AGAIN_MS.at(-1) ?? 0;
      await sleep(delayMs, undefined, { ref: false });
    }
  }
}
