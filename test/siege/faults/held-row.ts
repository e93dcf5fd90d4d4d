import { setTimeout as sleep } from "node:timers/promises";
import { call } from "../../fixtures/call.ts";
import { runSql } from "../../fixtures/postgres.ts";
import { TOKENS } from "../../fixtures/services.ts";
import type { Fault, FaultPlace } from "./fault.ts";
import { holdLock } from "./hold-lock.ts";

const POLICY = "login.account";
/** A unique cost, by which the row is found. */
const COST = 97;
const ASK_EVERY_MS = 50;

/** Holds one row that is requested all the time: requests for other rows must not be affected. */
export const HELD_ROW: Fault = {
  name: "hung-row",
  title: "somebody holds the row of one bucket that is in use",
  othersCanConnect: true,
  bounds: {},
  inflict: async (place) => {
    const key = `victim-${Date.now()}`;
    await consume(place, key, COST);
    const id = await findRow(place);
    const release = await holdLock(
      place.system.databaseUrl,
      `select 1 from limiter.buckets where id = '${id}'::uuid for update`,
    );
    const stopping = new AbortController();
    const asking = askAgainAndAgain(place, key, stopping.signal);
    return async () => {
      stopping.abort();
      await release();
      await asking;
    };
  },
};

async function consume({ system }: FaultPlace, key: string, cost: number): Promise<void> {
  const url = `${system.doors.limiter}/portcullis.limiter.v1.LimiterService/Consume`;
  await call(url, { buckets: [{ policy: POLICY, key, cost }] }, { token: TOKENS.operator });
}

async function findRow({ system }: FaultPlace): Promise<string> {
  const [row] = await runSql<{ id: string }>(
    system.databaseUrl,
    `select id from limiter.buckets
     where kind = 1 and unit > 0 and amount between ($1 - 1) * unit and $1 * unit
     order by at_ms desc limit 1`,
    [COST],
  );
  if (row === undefined) throw new Error("the row of the bucket was not found");
  return row.id;
}

/** The results of these calls are not counted: the row is held. */
async function askAgainAndAgain(
  place: FaultPlace,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  const asked: Promise<void>[] = [];
  while (!signal.aborted) {
    asked.push(consume(place, key, 1));
    await sleep(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  await Promise.allSettled(asked);
}
