import type { Queryable } from "../../runtime/postgres.ts";
import type { RevocationLogState } from "./revocation-cursor.ts";

export type RevocationEvent = {
  sequence: bigint;
  kind: string;
  value: string;
  revokedAt: Date;
};

type LogRow = { epoch: string; last_sequence: string; trimmed_through: string };
type EventRow = LogRow & { sequence: string; kind: string; value: string; revoked_at: Date };

/** Reads the state of the log and the events after a sequence, as of one moment. */
export async function readRevocations(
  db: Queryable,
  afterSequence: bigint,
  limit: number,
): Promise<{ log: RevocationLogState; events: RevocationEvent[] }> {
  const { rows } = await db.query<EventRow | (LogRow & { sequence: null })>(
    `select l.epoch, l.last_sequence, l.trimmed_through,
            r.sequence, r.kind, r.value, r.revoked_at
     from auth.revocation_log l
     left join lateral (
       select sequence, kind, value, revoked_at from auth.revocations
       where sequence > $1::bigint order by sequence limit $2::int
     ) r on true
     order by r.sequence`,
    [afterSequence, limit],
  );
  const [first] = rows;
  if (first === undefined) throw new Error("auth.revocation_log has lost its row");
  const log = {
    epoch: first.epoch,
    lastSequence: BigInt(first.last_sequence),
    trimmedThrough: BigInt(first.trimmed_through),
  };
  const events = rows.flatMap((row) =>
    row.sequence === null
      ? []
      : [
          {
            sequence: BigInt(row.sequence),
            kind: row.kind,
            value: row.value,
            revokedAt: row.revoked_at,
          },
        ],
  );
  return { log, events };
}
