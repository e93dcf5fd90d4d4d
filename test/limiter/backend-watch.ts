import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const POLL_MS = 25;

/** Counts the backends that clients of ours hold, for as long as it runs. */
export async function watchBackends(url: string) {
  const client = new pg.Client({ connectionString: url, application_name: "watch" });
  client.on("error", () => undefined);
  await client.connect();
  let most = 0;
  let isRunning = true;
  const pids = async () => {
    const { rows } = await client.query<{ pid: number }>(
      `select a.pid from pg_stat_activity a
       where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()`,
    );
    most = Math.max(most, rows.length);
    return rows.map(({ pid }) => pid);
  };
  const watch = async () => {
    while (isRunning) {
      await pids();
      await sleep(POLL_MS);
    }
  };
  const watched = watch();
  watched.catch(() => undefined);
  return {
    /** The most that there were at once. */
    get most() {
      return most;
    },
    pids,
    async query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
      return (await client.query<Row>(sql)).rows;
    },
    async stop() {
      isRunning = false;
      await watched.catch(() => undefined);
      await client.end();
    },
  };
}
