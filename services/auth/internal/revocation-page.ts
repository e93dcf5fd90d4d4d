import { type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  RevocationPageRequestSchema,
  type RevocationPageSchema,
} from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import { formatCursor, isCursorExpired, parseCursor } from "../store/revocation-cursor.ts";
import { readRevocations } from "../store/revocation-store.ts";
import type { InternalCall } from "./internal-route.ts";
import { badField, type JsonAnswer } from "./json-answer.ts";
import { readRequest } from "./read-request.ts";

/** A page of this many events stays far below any body limit. */
const EVENTS_MAX = 1_000;
/** The page of a poller that names no limit. */
const EVENTS_DEFAULT = 100;

type PageRequest = { sinceCursor: string | null; limit: number };

/** Reads the request for a page; the answer names the field that is wrong. */
export function readPageRequest(
  body: InternalCall["body"],
): ({ kind: "page" } & PageRequest) | { kind: "bad"; answer: JsonAnswer } {
  const { message, malformed } = readRequest(RevocationPageRequestSchema, body);
  const sinceCursor = textOrNull(message.sinceCursor);
  if (sinceCursor === undefined) {
    return { kind: "bad", answer: badField("sinceCursor", "must be null or a cursor") };
  }
  const { limit = EVENTS_DEFAULT } = message;
  if (malformed.has("limit") || limit < 1 || limit > EVENTS_MAX) {
    const problem = `must be a whole number from 1 to ${EVENTS_MAX}`;
    return { kind: "bad", answer: badField("limit", problem) };
  }
  return { kind: "page", sinceCursor, limit };
}

/** Undefined for any other JSON value. */
function textOrNull(value: Value | undefined): string | null | undefined {
  if (value === undefined) return null;
  const json = toJson(ValueSchema, value);
  return typeof json === "string" || json === null ? json : undefined;
}

/**
 * Reads the events after a cursor. Null, and a cursor after which events may be missing, start at the
 * oldest event kept; `cursorExpired` tells the holder of the latter to ask about what it holds.
 */
export async function readRevocationPage(
  db: Queryable,
  { sinceCursor, limit }: PageRequest,
): Promise<MessageInitShape<typeof RevocationPageSchema>> {
  const cursor = sinceCursor === null ? null : parseCursor(sinceCursor);
  let page = await readRevocations(db, cursor?.sequence ?? 0n, limit);
  const cursorExpired =
    cursor === undefined || (cursor !== null && isCursorExpired(cursor, page.log));
  if (cursorExpired) page = await readRevocations(db, 0n, limit);

  const { log, events } = page;
  const idOf = (sequence: bigint) => formatCursor({ epoch: log.epoch, sequence });
  return {
    events: events.map(({ sequence, kind, value, revokedAt }) => {
      return { eventId: idOf(sequence), kind, value, revokedAt: revokedAt.toISOString() };
    }),
    nextCursor: idOf(events.at(-1)?.sequence ?? log.lastSequence),
    cursorExpired,
  };
}
