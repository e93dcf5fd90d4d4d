import type { HttpResponse } from "./uws.ts";

/** An answer to an HTTP request. */
export type HttpAnswer = {
  status: number;
  headers: ReadonlyMap<string, string>;
  body: Uint8Array | string;
};

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  426: "Upgrade Required",
  429: "Too Many Requests",
  499: "Client Closed Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** JSON that no cache may keep. */
export function jsonAnswer(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  const all = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  };
  return { status, headers: new Map(Object.entries(all)), body: JSON.stringify(body) };
}

/** Seconds for a Retry-After header: rounded up, so that nobody is told to come too early. */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
}

/** Sends an answer. Must not be called after the request was aborted. */
export function sendAnswer(response: HttpResponse, answer: HttpAnswer): void {
  response.cork(() => {
    response.writeStatus(`${answer.status} ${REASONS[answer.status] ?? "Unknown"}`);
    for (const [name, value] of answer.headers) response.writeHeader(name, value);
    response.end(answer.body);
  });
}
