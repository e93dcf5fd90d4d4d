import type { Queryable } from "../../runtime/postgres.ts";
import { formatCursor, isCursorExpired, parseCursor } from "../store/revocation-cursor.ts";
import { readRevocations } from "../store/revocation-store.ts";

/** A page of the revocation log as pollers read it. */
export type RevocationPage = {
  events: { eventId: string; kind: string; value: string; revokedAt: string }[];
  nextCursor: string;
  /** Events between the cursor that was sent and these may be missing. */
  cursorExpired: boolean;
};

/** A page of this many events stays far below any body limit. */
export const EVENTS_MAX = 1_000;

/**
 * Reads the events after a cursor. Null, and a cursor after which events may be missing, start from
 * the oldest event kept; the holder of the latter is told, and must ask about what it holds.
 */
export async function readRevocationPage(
  db: Queryable,
  sinceCursor: string | null,
  limit: number,
): Promise<RevocationPage> {
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
