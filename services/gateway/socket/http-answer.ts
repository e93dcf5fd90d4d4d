import type { HttpResponse } from "./uws.ts";

/** An answer to an HTTP request. */
export type HttpAnswer = {
  status: number;
  headers: ReadonlyMap<string, string>;
  body: string;
};

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  426: "Upgrade Required",
  429: "Too Many Requests",
  503: "Service Unavailable",
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

/**
 * Sends an answer and closes the connection, so that nothing of the client's is taken for another
 * request. Must not be called after the request was aborted.
 */
export function sendAnswer(response: HttpResponse, answer: HttpAnswer, isHead: boolean): void {
  response.cork(() => {
    response.writeStatus(`${answer.status} ${REASONS[answer.status] ?? "Unknown"}`);
    for (const [name, value] of answer.headers) response.writeHeader(name, value);
    // Ended with the length of a body that it must not have, an answer would never be complete.
    response.end(isHead || answer.status === 204 ? "" : answer.body, true);
  });
}
