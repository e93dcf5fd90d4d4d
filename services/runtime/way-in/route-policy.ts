import type { VerbatimMember } from "./verbatim-member.ts";

/** Who may call a route: anyone, or only the named services, each with its token. */
export type AllowedCallers = "anyone" | readonly string[];

/** What a door enforces for one route before its handler runs. */
export type RoutePolicy = {
  callers: AllowedCallers;
  /**
   * How other services are refused: `forbidden` (403, the default), or `unknown` (401), like any
   * wrong token.
   */
  others?: "forbidden" | "unknown";
  /** The largest body in bytes, after decompression; 0 if the route reads none. */
  bodyBytesMax: number;
  /** Fields, entries and values in one message, nested ones included. */
  elementsMax: number;
  /** Entries in one list. */
  listEntriesMax: number;
  /** A member of JSON messages that is passed on byte for byte. */
  verbatim?: VerbatimMember;
  /** The limits that the handler charges, for the table in ARCHITECTURE.md. */
  charges: readonly string[];
};

/** The routes of one door, by `METHOD /path`. Any other request gets 404. */
export type RoutePolicies = Readonly<Record<string, RoutePolicy>>;

/** Enough for every message without lists: our messages have fewer than ten fields. */
export const SMALL_MESSAGE = { elementsMax: 64, listEntriesMax: 16 } as const;

/** Bodies on open routes are small: an e-mail address, a password and two tokens. */
const STRANGER_BODY_BYTES_MAX = 16_384;

/** A route that anyone may call with a small message. */
export function openToAnyone(...charges: readonly string[]): RoutePolicy {
  return {
    callers: "anyone",
    bodyBytesMax: STRANGER_BODY_BYTES_MAX,
    ...SMALL_MESSAGE,
    charges,
  };
}

/** A route without a body that anyone may call, such as health. */
export const PLAIN_GET: RoutePolicy = {
  callers: "anyone",
  bodyBytesMax: 0,
  elementsMax: 0,
  listEntriesMax: 0,
  charges: [],
};
