import type { VerbatimMember } from "./verbatim-member.ts";

/** Who may call a route: anybody, or whoever shows the token of one of these services. */
export type AllowedCallers = "anyone" | readonly string[];

/** What a door grants to one route before its handler sees the request. */
export type RoutePolicy = {
  callers: AllowedCallers;
  /**
   * What other services are taken for: `forbidden` (403) where they know the route, `unknown` (401)
   * where their token means no more than any other text.
   */
  others?: "forbidden" | "unknown";
  /** The largest body, in bytes after decompression; 0 where none is read. */
  bodyBytesMax: number;
  /** Fields, entries and values in one message, nested ones included. */
  elementsMax: number;
  /** Entries in one list. */
  listEntriesMax: number;
  /** A member of messages in JSON that is handed on exactly as it was written. */
  verbatim?: VerbatimMember;
  /** The limits that the handler charges, for the table in ARCHITECTURE.md. */
  charges: readonly string[];
};

/** The routes of one door, by `METHOD /path`. What is not in here is 404. */
export type RoutePolicies = Readonly<Record<string, RoutePolicy>>;

/** Enough for every message that has no lists; a message of ours has fewer than ten fields. */
export const SMALL_MESSAGE = { elementsMax: 64, listEntriesMax: 16 } as const;

/** Where nobody asks who calls, a body is small: an e-mail address, a password and two tokens. */
const STRANGER_BODY_BYTES_MAX = 16_384;

/** A route that anybody may call with a small message. */
export function openToAnyone(...charges: readonly string[]): RoutePolicy {
  return {
    callers: "anyone",
    bodyBytesMax: STRANGER_BODY_BYTES_MAX,
    ...SMALL_MESSAGE,
    charges,
  };
}

/** A route without a body that anybody may ask, such as health. */
export const PLAIN_GET: RoutePolicy = {
  callers: "anyone",
  bodyBytesMax: 0,
  elementsMax: 0,
  listEntriesMax: 0,
  charges: [],
};
