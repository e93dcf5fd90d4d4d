import type { Step, WireRow } from "./postgres-connection.ts";

/** Looked at in one sweep: 2 MiB, read in a few milliseconds. */
const SWEEP_BLOCKS = 256;
/** Deleted at most in one statement, so that no decision waits noticeably for it. */
const SWEEP_ROWS_MAX = 500;

/** How long ago a bucket is full: a clock that steps back by less refills none. */
const BUCKETS_KEPT_MS = 3_600_000;
/** How long ago the rest ended. What is in there has its own margins. */
const OTHERS_KEPT_MS = 60_000;

/**
 * A moment that the index can be asked for: a clock that is read anew for each row could not, so
 * that every live row would be looked at.
 */
const ENDED_BEFORE_MS = `
        select floor(date_part('epoch', clock_timestamp()) * 1000)::bigint - ${OTHERS_KEPT_MS}`;

/**
 * Statements of the sweep. Rows that somebody works on are skipped, and come up again in the next
 * round.
 */
export const SWEEP_STATEMENTS = {
  sweep_buckets: `
    delete from limiter.buckets
    where ctid = any (array(
      select b.ctid from limiter.buckets b
      where b.ctid >= ('(' || $1::bigint || ',0)')::tid
        and b.ctid < ('(' || ($1::bigint + ${SWEEP_BLOCKS}) || ',0)')::tid
        and b.expires_ms < floor(date_part('epoch', clock_timestamp()) * 1000)::bigint - ${BUCKETS_KEPT_MS}
      limit ${SWEEP_ROWS_MAX}
      for update skip locked))
    returning 1`,

  bucket_blocks: `
    select pg_relation_size('limiter.buckets') / current_setting('block_size')::bigint`,

  sweep_leases: `
    delete from limiter.leases
    where ctid = any (array(
      select l.ctid from limiter.leases l
      where l.expires_ms < (${ENDED_BEFORE_MS})
      order by l.expires_ms
      limit ${SWEEP_ROWS_MAX}
      for update skip locked))
    returning 1`,

  sweep_answers: `
    delete from limiter.answers
    where ctid = any (array(
      select a.ctid from limiter.answers a
      where a.expires_ms < (${ENDED_BEFORE_MS})
      order by a.expires_ms
      limit ${SWEEP_ROWS_MAX}
      for update skip locked))
    returning 1`,

  sweep_refunds: `
    delete from limiter.refunds
    where ctid = any (array(
      select r.ctid from limiter.refunds r
      where r.expires_ms < (${ENDED_BEFORE_MS})
      order by r.expires_ms
      limit ${SWEEP_ROWS_MAX}
      for update skip locked))
    returning 1`,
} as const;

/**
 * Deletes some expired rows of every table; walks through the buckets a piece at a time, since they
 * have no index on their end. A table that fails keeps no other from being swept; the last failure
 * is answered.
 */
export async function sweepPostgres(
  execute: (steps: readonly Step[]) => Promise<ReadonlyArray<readonly WireRow[]>>,
  fromBlock: number,
): Promise<{ deleted: number; nextBlock: number; error: unknown }> {
  let deleted = 0;
  let nextBlock = fromBlock;
  let error: unknown;
  try {
    const [buckets = [], blocks = []] = await execute([
      { name: "sweep_buckets", values: [String(fromBlock)] },
      { name: "bucket_blocks" },
    ]);
    deleted += buckets.length;
    // A piece with more to delete than one statement may is visited again.
    const reached = buckets.length < SWEEP_ROWS_MAX ? fromBlock + SWEEP_BLOCKS : fromBlock;
    nextBlock = reached >= Number(blocks[0]?.[0]) ? 0 : reached;
  } catch (caught) {
    error = caught;
    nextBlock = fromBlock + SWEEP_BLOCKS;
  }
  for (const name of ["sweep_leases", "sweep_answers", "sweep_refunds"]) {
    try {
      const [rows = []] = await execute([{ name }]);
      deleted += rows.length;
    } catch (caught) {
      error = caught;
    }
  }
  return { deleted, nextBlock, error };
}
