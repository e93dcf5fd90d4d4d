import { isUuid } from "../tokens/uuid.ts";

/** A place in the revocation log: after the event with this sequence. */
export type RevocationCursor = { epoch: string; sequence: bigint };

/** What the log holds. */
export type RevocationLogState = {
  epoch: string;
  lastSequence: bigint;
  /** Events up to this one may have been deleted. */
  trimmedThrough: bigint;
};

export function formatCursor({ epoch, sequence }: RevocationCursor): string {
  return `${epoch}:${sequence}`;
}

export function parseCursor(text: string): RevocationCursor | undefined {
  const [, epoch, digits] = /^([0-9a-f-]{36}):(\d{1,18})$/.exec(text) ?? [];
  return isUuid(epoch) && digits !== undefined ? { epoch, sequence: BigInt(digits) } : undefined;
}

/**
 * Whether the holder of a cursor may have missed events: the log of another database gave it out
 * (or this one before it was restored), or events after it have been deleted.
 */
export function isCursorExpired(cursor: RevocationCursor, log: RevocationLogState): boolean {
  return (
    cursor.epoch !== log.epoch ||
    cursor.sequence < log.trimmedThrough ||
    cursor.sequence > log.lastSequence
  );
}
