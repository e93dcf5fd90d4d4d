import type { IncomingMessage } from "node:http";
import { REALTIME_PATH } from "../../doors.ts";
import type { Arrival } from "../exchange.ts";
import { badRequest, type HttpAnswer } from "../http-answer.ts";
import { addHeaderLine, HEAD_LINES_MAX } from "../request-head.ts";

/** Copies a request's head, with every header line separate. */
export function copyRequest(request: IncomingMessage): Arrival["copied"] {
  const headers = new Map<string, string[]>();
  const { rawHeaders } = request;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    addHeaderLine(headers, (rawHeaders[at] ?? "").toLowerCase(), rawHeaders[at + 1] ?? "");
  }
  return { method: request.method ?? "", path: pathOf(request), headers };
}

/** The path of a request target, without the origin that a client of a proxy writes first. */
function pathOf({ url = "" }: IncomingMessage): string {
  return url.replace(/^https?:\/\/[^/?]*/i, "").split("?", 1)[0] ?? "";
}

/** Whether an upgrade request asks for the websocket route. */
export function isHandshake(request: IncomingMessage): boolean {
  return request.method === "GET" && pathOf(request) === REALTIME_PATH;
}

/** Finds a problem in a head that the parser accepted; `early` are the bytes right behind it. */
export function findHeadProblem(request: IncomingMessage, early?: Buffer): HttpAnswer | undefined {
  const { rawHeaders, httpVersion } = request;
  if (rawHeaders.length > 2 * HEAD_LINES_MAX) return TOO_MANY_LINES;
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host");
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion !== "1.0")) return ONE_HOST;
  if (early !== undefined && httpVersion === "1.0") return OLD_HTTP;
  if (early !== undefined && early.byteLength > 0) return TOO_EARLY;
  return undefined;
}

const TOO_MANY_LINES = badRequest(431, `a request has at most ${HEAD_LINES_MAX} header lines`);
const ONE_HOST = badRequest(400, "Host must be there exactly once");
const OLD_HTTP = badRequest(505, "a websocket needs HTTP/1.1");
const TOO_EARLY = badRequest(400, "nothing may follow a handshake before its answer");
