import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { BackendPlaces } from "./backend-places.ts";
import { type BackendIdentity, HeldClient } from "./held-client.ts";

/** Beside its pools, a process holds at most one backend, to inspect others. */
const INSPECTIONS_MAX = 1;
/** Created on first use, so that a process without a database exports no such metric. */
let places: BackendPlaces | undefined;
const TIMEOUT_MS = 1_000;
/** These queries never wait in a commit. After this time only a dead network is silent. */
const SILENT_MS_MAX = 120_000;

/**
 * Whether the server no longer has this backend, as after a failover that closed no connection.
 * Also false if the server gives no answer.
 */
export async function isBackendGone(like: pg.Client, backend: BackendIdentity): Promise<boolean> {
  const rows = await askApart<{ count: string }>(
    like,
    `select count(*) from pg_stat_get_activity($1::int) a
     where floor(date_part('epoch', a.backend_start) * 1e6)::bigint = $2::bigint`,
    [backend.processId, backend.startedAt],
  );
  return rows !== undefined && rows[0]?.count === "0";
}

/** Runs a query on a new connection, made like another; undefined without an answer in time. */
export async function askApart<Row extends pg.QueryResultRow>(
  like: pg.Client,
  sql: string,
  values: readonly unknown[],
): Promise<readonly Row[] | undefined> {
  places ??= new BackendPlaces("inspection", INSPECTIONS_MAX);
  if (places.held >= places.max) return undefined;
  const { user, password, database, host, port, ssl } = like;
  const client = new HeldClient({
    ...{ user, password, database, host, port, ssl },
    application_name: "portcullis-inspection",
    places,
    connectTimeoutMs: TIMEOUT_MS,
  });
  const ask = async () => {
    await client.connect();
    return (await client.query<Row>(sql, [...values])).rows;
  };
  try {
    const answer = ask();
    answer.catch(() => undefined);
    return await Promise.race([answer, sleep(2 * TIMEOUT_MS, undefined, { ref: false })]);
  } catch {
    return undefined;
  } finally {
    const destroy = setTimeout(() => client.connection.stream.destroy(), SILENT_MS_MAX).unref();
    client.gone.then(
      () => clearTimeout(destroy),
      () => undefined,
    );
    client.end().catch(() => undefined);
  }
}
