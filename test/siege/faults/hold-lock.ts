import pg from "pg";

/** Keeps a transaction with a lock open until it is let go. */
export async function holdLock(url: string, statement: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  await client.query("begin");
  await client.query(statement);
  return async () => {
    await client.query("rollback");
    await client.end();
  };
}
