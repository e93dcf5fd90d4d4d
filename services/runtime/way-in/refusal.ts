import type { IncomingMessage, ServerResponse } from "node:http";
import { Code } from "@connectrpc/connect";
import { codeText } from "../code-text.ts";

/** The steps of the way in, in order; each can refuse. */
export const STEPS = [
  "connections",
  "head",
  "route",
  "caller",
  "share",
  "body",
  "message",
] as const;

export type Step = (typeof STEPS)[number];

/** Why a request is refused, and what the client is told. */
export type Refusal = {
  step: Step;
  status: number;
  code: Code;
  message: string;
  headers?: Readonly<Record<string, string>>;
  /** Ends the connection at once. The client may not see the answer. */
  isAbrupt?: boolean;
};

/** A full share has room again after about this time. */
const RETRY_AFTER_SECONDS = "1";

export function noSuchRoute(): Refusal {
  return { step: "route", status: 404, code: Code.NotFound, message: "no such route" };
}

export function wrongMethod(allowed: readonly string[]): Refusal {
  const allow = allowed.join(", ");
  const message = `the method must be ${allow}`;
  return { step: "route", status: 405, code: Code.Unimplemented, message, headers: { allow } };
}

export function tooManyHeaderLines(linesMax: number): Refusal {
  const message = `a request has at most ${linesMax} header lines`;
  return { step: "head", status: 431, code: Code.InvalidArgument, message };
}

export function unknownCaller(): Refusal {
  return {
    step: "caller",
    status: 401,
    code: Code.Unauthenticated,
    message: "a valid service token is required",
    headers: { "www-authenticate": "Bearer" },
  };
}

export function wrongCaller(caller: string): Refusal {
  const message = `this is not for ${caller}`;
  return { step: "caller", status: 403, code: Code.PermissionDenied, message };
}

export function tooManyTries(retryAfterMs: number): Refusal {
  return {
    step: "caller",
    status: 429,
    code: Code.ResourceExhausted,
    message: "too many wrong tokens from this address",
    headers: { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) },
  };
}

/** The share of the caller or address, or the whole door, is full. */
export function shareInUse(status: 429 | 503): Refusal {
  return {
    step: "share",
    status,
    code: status === 429 ? Code.ResourceExhausted : Code.Unavailable,
    message: "too many requests are in flight",
    headers: { "retry-after": RETRY_AFTER_SECONDS },
  };
}

export function tooLarge(bytesMax: number): Refusal {
  const message = `body: holds at most ${bytesMax} bytes`;
  return { step: "body", status: 413, code: Code.InvalidArgument, message };
}

export function inCrumbs(): Refusal {
  const message = "body: comes in too many small pieces";
  const isAbrupt = true;
  return { step: "body", status: 413, code: Code.InvalidArgument, message, isAbrupt };
}

export function bodyTimedOut(timeoutMs: number): Refusal {
  const message = `body: was not complete within ${timeoutMs} ms`;
  return { step: "body", status: 408, code: Code.InvalidArgument, message };
}

export function bodiesFull(): Refusal {
  const message = "too many large requests are in flight";
  const headers = { "retry-after": RETRY_AFTER_SECONDS };
  return { step: "body", status: 503, code: Code.Unavailable, message, headers };
}

export function cannotDecompress(message: string): Refusal {
  return { step: "body", status: 501, code: Code.Unimplemented, message };
}

export function badMessage(message: string): Refusal {
  return { step: "message", status: 400, code: Code.InvalidArgument, message };
}

export function wrongContentType(): Refusal {
  const message = "content-type: must be application/json or application/proto";
  return { step: "message", status: 415, code: Code.InvalidArgument, message };
}

/** Statuses after which the door closes the connection. */
const CLOSING = new Set([401, 408, 413, 431]);
/** Bytes of a refused body that are read and dropped, so that the connection can be kept. */
const DROPPED_BYTES_MAX = 65_536;
/** Pieces that are read and dropped. A client that sends more may see a reset and no answer. */
const DROPPED_PIECES_MAX = 64;
/** How long a client that is still sending has to read the answer. */
const LINGER_MS = 1_000;

/** Answers with the refusal in JSON; `code` is the one that RPC clients read. */
export function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal,
): void {
  const { status, code, message, headers = {}, isAbrupt = false } = refusal;
  const name = codeText(code);
  const body = Buffer.from(JSON.stringify({ code: name, error: name, message }));
  const close = CLOSING.has(status) || isLong(request) ? { connection: "close" } : {};
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": body.length,
    "cache-control": "no-store",
    ...headers,
    ...close,
  });
  if (isAbrupt) {
    response.end(body);
    return;
  }
  response.write(body);
  endOnceDropped(request, response);
}

/** Whether the rest of the body may be too long to read and drop. */
function isLong(request: IncomingMessage): boolean {
  if (request.complete) return false;
  if (request.headers["transfer-encoding"] !== undefined) return true;
  return Number(request.headers["content-length"] ?? 0) > DROPPED_BYTES_MAX;
}

/**
 * Ends an answer whose body is written already, once the rest of the request was dropped. Closing
 * with unread bytes would reset the connection, and the client would not see the answer.
 */
function endOnceDropped(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  let pieces = 0;
  const end = () => {
    clearTimeout(timer);
    request.off("data", drop).off("end", end).off("close", end);
    response.end();
  };
  const drop = (piece: Buffer) => {
    bytes += piece.length;
    pieces++;
    if (bytes > DROPPED_BYTES_MAX || pieces > DROPPED_PIECES_MAX) end();
  };
  const timer = setTimeout(end, LINGER_MS);
  if (request.readableEnded || request.destroyed) {
    end();
    return;
  }
  request.on("error", () => undefined);
  request.on("data", drop).once("end", end).once("close", end);
}
