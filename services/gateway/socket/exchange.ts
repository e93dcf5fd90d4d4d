import { type HttpAnswer, jsonAnswer, sendAnswer } from "./http-answer.ts";
import type { RunUncorked } from "./uncorked.ts";
import type { HttpResponse, UwsRequest, us_socket_context_t } from "./uws.ts";
import type { Waiting } from "./waiting-connections.ts";

/** From the connection to the end of its request, however slowly the pieces come. */
export const REQUEST_TIMEOUT_MS = 5_000;
/** Bodies are read and dropped, so that the client still reads its answer; more is cut off. */
const BODY_BYTES_MAX = 64 * 1024;
/** One request and the way to answer it: once, and then the connection closes. */
export type Exchange = {
  readonly request: UwsRequest;
  /** Whether the library found a websocket handshake on the websocket route. */
  readonly isUpgrade: boolean;
  /** False once the client has gone, or an answer was given. */
  readonly isOpen: boolean;
  answer(answer: HttpAnswer): void;
  /** Turns the connection into a websocket; the library has opened it when this returns. */
  upgrade(userData: object, key: string, subprotocol: string): void;
};

/** A request that the library has just parsed; the connection that sent it is told next. */
export type Arrival = {
  copied: Omit<UwsRequest, "remote">;
  context: us_socket_context_t | undefined;
};

/** One connection at the public door, until it is answered, has become a websocket, or has gone. */
export class Connection implements Exchange, Waiting {
  readonly shareKey: string | undefined;
  readonly #runUncorked: RunUncorked;
  readonly #response: HttpResponse;
  readonly #remote: string;
  readonly #leave: (event: "asked" | "ended" | "late") => void;
  readonly #timer: NodeJS.Timeout;
  #state: "waiting" | "asked" | "ended" = "waiting";
  #arrival: Arrival | undefined;
  #bodyBytes = 0;

  constructor(
    runUncorked: RunUncorked,
    response: HttpResponse,
    peer: { remote: string; shareKey: string | undefined },
    leave: (event: "asked" | "ended" | "late") => void,
  ) {
    this.#runUncorked = runUncorked;
    this.#response = response;
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
    return this.#arrival?.context !== undefined;
  }

  get request(): UwsRequest {
    const { method, path, headers } = this.#arrival?.copied ?? NO_REQUEST;
    return { method, path, headers, remote: this.#remote };
  }

  /** Takes a piece of the request; true when the request is complete. */
  receive(arrival: Arrival | undefined, bytes: number, isLast: boolean): boolean {
    if (this.#state !== "waiting") return false;
    this.#arrival ??= arrival;
    if (this.#arrival === undefined) return false;
    if ((this.#arrival.copied.headers.get("content-length") ?? []).length > 1) {
      this.answer(TWO_LENGTHS);
      return false;
    }
    this.#bodyBytes += bytes;
    if (this.#bodyBytes > BODY_BYTES_MAX) this.answer(TOO_LARGE);
    else if (isLast) this.#moveTo("asked");
    return isLast && this.isOpen;
  }

  answer(answer: HttpAnswer): void {
    if (!this.isOpen) return;
    this.#moveTo("ended");
    sendAnswer(this.#response, answer, this.#arrival?.copied.method === "HEAD");
  }

  upgrade(userData: object, key: string, subprotocol: string): void {
    const context = this.#arrival?.context;
    if (!this.isOpen || context === undefined) return;
    this.#moveTo("ended");
    this.#runUncorked(() => {
      this.#response.upgrade(userData, key, subprotocol, "", context);
    });
  }

  /** The client has gone; nothing of the library's may be used any more. */
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

const NO_REQUEST = { method: "", path: "", headers: new Map<string, string[]>() };

const TOO_SLOW = jsonAnswer(408, { code: "timeout", message: "the request took too long" });
const TOO_LARGE = jsonAnswer(413, { code: "invalid_argument", message: "no body is expected" });
const TWO_LENGTHS = jsonAnswer(400, {
  code: "invalid_argument",
  message: "Content-Length is there more than once",
});
