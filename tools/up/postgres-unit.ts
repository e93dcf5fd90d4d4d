import pg from "pg";
import { startPostgresServer } from "./postgres-server.ts";
import type { Unit } from "./supervisor.ts";

const DATABASE = "portcullis";

/** Runs the embedded Postgres, with the database of the services. */
export function createPostgresUnit(options: {
  folder: string;
  port: number;
  /** Receives the URL before any unit that needs it starts. */
  onUrl: (url: string) => void;
}): Unit {
  return {
    name: "postgres",
    async start(signal) {
      const server = await startPostgresServer({
        folder: options.folder,
        port: options.port,
        signal,
      });
      const url = await createDatabase(server.url).catch(async (error) => {
        await server.stop();
        throw error;
      });
      options.onUrl(url);
      return { exited: server.exited, stop: server.stop, kill: server.kill };
    },
  };
}

/** Creates the database unless it exists; returns its URL. */
async function createDatabase(serverUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const found = await client.query("select 1 from pg_database where datname = $1", [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
  const url = new URL(serverUrl);
  url.pathname = `/${DATABASE}`;
  return url.href;
}
