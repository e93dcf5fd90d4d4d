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
  411: "Length Required",
  413: "Content Too Large",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
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

/** Refuses a request that is not as it has to be. */
export function badRequest(status: number, message: string): HttpAnswer {
  return jsonAnswer(status, { code: "invalid_argument", message });
}

/** Seconds for a Retry-After header: rounded up, so that nobody is told to come too early. */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
}

/** The code and the phrase of a status line. */
export function statusText(status: number): string {
  return `${status} ${REASONS[status] ?? "Unknown"}`;
}
