/**
 * The largest request head: 16 KiB of cookies, and what a browser sends beside them. Larger heads
 * are answered with 431. An unfinished head is kept in memory, so this times the waiting
 * connections bounds the memory of connections without a request.
 */
export const HEAD_BYTES_MAX = 18 * 1024;

/** uWebSockets reads its bound on heads from this variable, once, while it is loaded. */
export const HEAD_BYTES_VARIABLE = "UWS_HTTP_MAX_HEADERS_SIZE";

/** The most header lines: the fixed bound of uWebSockets, which the other engine applies too. */
export const HEAD_LINES_MAX = 98;

/** Adds a header line; keeps the lines of a header in their order of arrival. */
export function addHeaderLine(headers: Map<string, string[]>, name: string, value: string): void {
  const lines = headers.get(name);
  if (lines === undefined) headers.set(name, [value]);
  else lines.push(value);
}
