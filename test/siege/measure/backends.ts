import pg from "pg";

/** Counts the server's backends of each service. */
export type BackendCounter = {
  /** Counts by application name; undefined while the server does not answer. */
  count(): Promise<ReadonlyMap<string, number> | undefined>;
  close(): Promise<void>;
};

/** If the server is stopped, this query hangs, too. */
const ANSWER_TIMEOUT_MS = 500;
const OWN_NAME = "portcullis-siege";

export async function createBackendCounter(databaseUrl: string): Promise<BackendCounter> {
  let client = await connect(databaseUrl);
  const ask = async () =>
    await client.query<{ name: string; count: number }>({
      text: `select application_name as name, count(*)::int as count from pg_stat_activity
             where backend_type = 'client backend' and application_name <> $1 group by 1`,
      values: [OWN_NAME],
    });
  return {
    async count() {
      try {
        const { rows } = await ask();
        return new Map(rows.map(({ name, count }) => [name, count]));
      } catch {
        void client.end().catch(() => undefined);
        client = await connect(databaseUrl).catch(() => client);
        return undefined;
      }
    },
    close: async () => await client.end(),
  };
}

async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: OWN_NAME,
    connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}
