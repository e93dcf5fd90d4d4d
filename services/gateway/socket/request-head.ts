/**
 * The largest request head: 16 KiB of cookies that nobody reads, and what a browser sends beside
 * them. More is answered with 431. An unfinished head is kept in memory, so this times the waiting
 * connections bounds what strangers hold.
 */
export const HEAD_BYTES_MAX = 18 * 1024;

/** uWebSockets reads its bound on heads from here, once, while it is loaded. */
export const HEAD_BYTES_VARIABLE = "UWS_HTTP_MAX_HEADERS_SIZE";

/** Header lines; uWebSockets has a fixed bound, and the other engine keeps the same one. */
export const HEAD_LINES_MAX = 98;

/** Keeps every line of a header, in the order in which they came. */
export function addHeaderLine(headers: Map<string, string[]>, name: string, value: string): void {
  const lines = headers.get(name);
  if (lines === undefined) headers.set(name, [value]);
  else lines.push(value);
}
