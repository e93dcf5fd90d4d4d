import { STATUS_CODES } from "node:http";

/** An answer to an HTTP request. */
export type HttpAnswer = {
  status: number;
  headers: ReadonlyMap<string, string>;
  body: string;
};

/** Answers JSON that no cache may keep. */
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

/** Answers a request that the gateway cannot read or carry out. */
export function badRequest(status: number, message: string): HttpAnswer {
  return jsonAnswer(status, { code: "invalid_argument", message });
}

/** Writes a wait for a Retry-After header, rounded up: an earlier retry would be refused. */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
}

/** Writes the code and the reason phrase of a status line. */
export function statusText(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? "Unknown"}`;
}
