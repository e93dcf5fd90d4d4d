import { createHash } from "node:crypto";
import pg from "pg";
import { bigintArray, uuidArray } from "../../services/limiter/store/binary-array.ts";
import type { Decider } from "./limiter-contestants.ts";
import type { Workload } from "./limiter-workloads.ts";

/** The same number as the engine. */
const LANES = 4;
const BATCH_MAX = 2_000;

type Waiting = { id: string; resolve(): void; reject(error: Error): void };

/**
 * The ceiling: counts per key, one sorted upsert per batch, committed. It rejects nothing, reads no
 * clock, and knows neither groups nor refunds.
 */
export function createRawUpsert(url: string, workload: Workload): Decider {
  const pool = new pg.Pool({ connectionString: url, max: LANES });
  const ids = new Map<number, string>();
  const idOf = (key: number) => {
    const known = ids.get(key);
    if (known !== undefined) return known;
    const id = createHash("md5").update(String(key)).digest().toString("latin1");
    ids.set(key, id);
    return id;
  };
  const upsert = async (counts: ReadonlyArray<[id: string, count: number]>) => {
    await pool.query({
      name: "upsert",
      text: `
        insert into raw_upserts as r (id, count)
        select n.id, n.count from unnest($1::uuid[], $2::bigint[]) as n (id, count)
        order by n.id
        on conflict (id) do update set count = r.count + excluded.count`,
      values: [uuidArray(counts, ([id]) => id), bigintArray(counts, ([, count]) => count)],
    });
  };
  const lanes = Array.from({ length: LANES }, () => createLane(upsert));
  const created = pool.query(
    `create table if not exists raw_upserts (id uuid primary key, count bigint not null)
     with (fillfactor = 50)`,
  );

  return {
    async decide(keys) {
      await Promise.all(
        keys.map((key) => {
          const id = idOf(key);
          return lanes[id.charCodeAt(0) % LANES]?.(id);
        }),
      );
      return true;
    },
    async warmUp() {
      await created;
      const all = Array.from({ length: workload.keys }, (_, key) => idOf(key)).sort();
      for (let from = 0; from < all.length; from += 20_000) {
        await upsert(all.slice(from, from + 20_000).map((id) => [id, 0]));
      }
    },
    async close() {
      await pool.end();
    },
  };
}

function createLane(
  upsert: (counts: ReadonlyArray<[id: string, count: number]>) => Promise<void>,
): (id: string) => Promise<void> {
  let waiting: Waiting[] = [];
  let isRunning = false;
  const run = async () => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      const counts = new Map<string, number>();
      for (const { id } of batch) counts.set(id, (counts.get(id) ?? 0) + 1);
      try {
        await upsert([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    isRunning = false;
  };
  return (id) =>
    new Promise((resolve, reject) => {
      waiting.push({ id, resolve, reject });
      if (isRunning) return;
      isRunning = true;
      setImmediate(() => void run());
    });
}
