/** What a header can hold when the request leaves. */
export type HeaderContent =
  /** The client's own lines, untouched. */
  | "client"
  | "none"
  /** The connection's address alone. */
  | "peer"
  /** The connection's address behind the client's own. */
  | "appended"
  /** The connection's address twice. */
  | "repeated"
  /** An address that a header named; of a list, the last entry. */
  | "named"
  /** More of a list than the last entry, which a client behind a CDN writes. */
  | "claimed"
  /** The last entry of a list, unless a quote in front of it swallows it. */
  | "quotable"
  | "constant"
  /** The connection's address and port, with nothing to tell them apart where it is IPv6. */
  | "with-port"
  /** The same in brackets, in which only an IPv6 address may stand. */
  | "bracketed"
  /** What only the running proxy knows. */
  | "unknown";

/** What of a header a stranger wrote. */
export const STRANGERS: readonly HeaderContent[] = [
  "client",
  "appended",
  "claimed",
  "quotable",
  "named",
];

/** What of a header a client wrote whom a CDN speaks for. */
export const BEHIND_CDN: readonly HeaderContent[] = ["client", "appended", "claimed"];
