import type { SessionSocket } from "../session/outbox.ts";
import { badRequest, type HttpAnswer, jsonAnswer } from "./http-answer.ts";
import type { Waiting } from "./waiting-connections.ts";

/** The time from the connection to the end of its request, however it is split. */
export const REQUEST_TIMEOUT_MS = 5_000;
/** Bodies are read and dropped, so that the client can read the answer; larger ones are refused. */
const BODY_BYTES_MAX = 64 * 1024;

/** A copy of everything in a request's head. */
export type DoorRequest = {
  method: string;
  path: string;
  /** Every line of every header, by lower-case name. */
  headers: ReadonlyMap<string, readonly string[]>;
  /** The socket's address as the platform prints it. */
  remote: string;
};

/** What an engine reports to a session about its websocket. */
export type SocketEvents = {
  /** The first event; only now the session may send. */
  opened(): void;
  message(data: Uint8Array, isBinary: boolean): void;
  /** A ping, which the engine answers, or a pong. */
  control(): void;
  /** Some of the waiting bytes have been sent. */
  drained(): void;
  /** The last event. */
  closed(code: number): void;
};

/** Gives an upgraded connection its session. */
export type BeginSession = (socket: SessionSocket) => SocketEvents;

/** What the answer to an upgrade says. */
export type AcceptedHandshake = { key: string; subprotocol: string };

/** One request and the way to answer it: once, and then the connection closes. */
export type Exchange = {
  readonly request: DoorRequest;
  /** Whether the engine can turn the connection into a websocket. */
  readonly isUpgrade: boolean;
  /** False once the client has gone, or an answer was given. */
  readonly isOpen: boolean;
  answer(answer: HttpAnswer): void;
  /** Turns the connection into a websocket; false when it has gone in the meantime. */
  upgrade(handshake: AcceptedHandshake, begin: BeginSession): boolean;
};

/** What an engine can do with one connection. Never called after the connection has ended. */
export type Wire = {
  /** Answers and closes. An answer before the end of a request may cross what still comes. */
  send(answer: HttpAnswer, request: { isHead: boolean; isComplete: boolean }): void;
  upgrade(handshake: AcceptedHandshake, begin: BeginSession): boolean;
};

/** The head of a request that has come in. */
export type Arrival = { copied: Omit<DoorRequest, "remote">; isUpgrade: boolean };

/** One connection at the public door, until it is answered, has become a websocket, or has gone. */
export class Connection implements Exchange, Waiting {
  readonly shareKey: string | undefined;
  readonly #wire: Wire;
  readonly #remote: string;
  readonly #leave: (event: "asked" | "ended" | "late") => void;
  readonly #timer: NodeJS.Timeout;
  #state: "waiting" | "asked" | "ended" = "waiting";
  #arrival: Arrival | undefined;
  #bodyBytes = 0;

  constructor(
    wire: Wire,
    peer: { remote: string; shareKey: string | undefined },
    leave: (event: "asked" | "ended" | "late") => void,
  ) {
    this.#wire = wire;
    this.#remote = peer.remote;
    this.shareKey = peer.shareKey;
    this.#leave = leave;
    this.#timer = setTimeout(() => {
      leave("late");
      this.answer(TOO_SLOW);
    }, REQUEST_TIMEOUT_MS);
  }

  get isOpen(): boolean {
    return this.#state !== "ended";
  }

  get isUpgrade(): boolean {
    return this.#arrival?.isUpgrade ?? false;
  }

  get request(): DoorRequest {
    return { ...(this.#arrival?.copied ?? NO_REQUEST), remote: this.#remote };
  }

  /** Takes a piece of the request; true when the request is complete. */
  receive(arrival: Arrival | undefined, bytes: number, isLast: boolean): boolean {
    if (this.#state !== "waiting") return false;
    this.#arrival ??= arrival;
    if (this.#arrival === undefined) return false;
    const problem = findLengthProblem(this.#arrival);
    if (problem !== undefined) {
      this.answer(problem);
      return false;
    }
    this.#bodyBytes += bytes;
    if (this.#bodyBytes > BODY_BYTES_MAX) this.answer(TOO_LARGE);
    else if (isLast) this.#moveTo("asked");
    return isLast && this.isOpen;
  }

  answer(answer: HttpAnswer): void {
    if (!this.isOpen) return;
    const isComplete = this.#state === "asked";
    this.#moveTo("ended");
    this.#wire.send(answer, { isHead: this.#arrival?.copied.method === "HEAD", isComplete });
  }

  upgrade(handshake: AcceptedHandshake, begin: BeginSession): boolean {
    if (!this.isOpen || !this.isUpgrade) return false;
    this.#moveTo("ended");
    return this.#wire.upgrade(handshake, begin);
  }

  /** The client has gone: the wire must not be used any more. */
  end(): void {
    this.#moveTo("ended");
  }

  #moveTo(state: "asked" | "ended"): void {
    if (this.#state === "waiting") {
      clearTimeout(this.#timer);
      this.#leave(state);
    }
    if (this.#state !== "ended") this.#state = state;
  }
}

/** A request whose length can be read in two ways could hide a second request. */
function findLengthProblem({ copied, isUpgrade }: Arrival): HttpAnswer | undefined {
  const [length, second] = copied.headers.get("content-length") ?? [];
  if (second !== undefined) return TWO_LENGTHS;
  if (copied.headers.has("transfer-encoding")) return NO_LENGTH;
  if (isUpgrade && length !== undefined && !/^0+$/.test(length)) return HANDSHAKE_WITH_BODY;
  return undefined;
}

const NO_REQUEST = { method: "", path: "", headers: new Map<string, string[]>() };

const TOO_SLOW = jsonAnswer(408, { code: "timeout", message: "the request took too long" });
const TOO_LARGE = badRequest(413, "no body is expected");
const TWO_LENGTHS = badRequest(400, "Content-Length is there more than once");
const NO_LENGTH = badRequest(
  411,
  "a body must have a Content-Length; Transfer-Encoding is not read",
);
const HANDSHAKE_WITH_BODY = badRequest(400, "a websocket handshake has no body");
