import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { systemClock } from "../../../runtime/clock.ts";
import type { AcceptedHandshake, BeginSession, Wire } from "../exchange.ts";
import { type HttpAnswer, statusText } from "../http-answer.ts";
import type { Lingering } from "./lingering.ts";
import type { Upgrade } from "./upgrader.ts";

/** One connection of the HTTP server. Writes its one answer to the socket itself. */
export class WsWire implements Wire {
  /** Set for a handshake on the websocket route. */
  handshake: IncomingMessage | undefined;
  readonly #socket: Socket;
  readonly #lingering: Lingering;
  readonly #upgrade: Upgrade;

  constructor(socket: Socket, lingering: Lingering, upgrade: Upgrade) {
    this.#socket = socket;
    this.#lingering = lingering;
    this.#upgrade = upgrade;
  }

  send(answer: HttpAnswer, request: { isHead: boolean; isComplete: boolean }): void {
    this.#socket.end(answerText(answer, request.isHead));
    if (request.isComplete) this.#socket.destroySoon();
    else this.#lingering.add(this.#socket);
  }

  upgrade(accepted: AcceptedHandshake, begin: BeginSession): boolean {
    if (this.handshake === undefined) return false;
    return this.#upgrade(this.handshake, this.#socket, accepted, begin);
  }
}

function answerText({ status, headers, body }: HttpAnswer, isHead: boolean): string {
  const length = status === 204 ? [] : [`content-length: ${Buffer.byteLength(body)}`];
  const lines = [
    `HTTP/1.1 ${statusText(status)}`,
    `date: ${new Date(systemClock.nowMs()).toUTCString()}`,
    "connection: close",
    ...[...headers].map(([name, value]) => `${name}: ${value}`),
    ...length,
  ];
  const content = isHead || status === 204 ? "" : body;
  return `${lines.join("\r\n")}\r\n\r\n${content}`;
}
