import { randomUUID } from "node:crypto";
import type pg from "pg";
import { askApart } from "./backend-inspector.ts";
import type { HeldClient } from "./held-client.ts";

/** Settings by name. A session in which one of them is not in force is refused. */
export type SessionSettings = Readonly<Record<string, string>>;

/** A session with wrong settings, or one that a pooler shares. */
export class SessionSettingsError extends Error {
  override name = "SessionSettingsError";
}

const POOLER =
  "is there a pooler in transaction mode, or one that drops settings? It must be in session " +
  "mode: see deploy/README.md";

/**
 * Sets the settings, whatever the URL, the role or the database say, and reads them back. Skips
 * settings that this server does not know. Throws SessionSettingsError if one is not in force.
 */
export async function enforceSettings(
  client: HeldClient,
  settings: SessionSettings,
): Promise<void> {
  const set = await client.query<{ name: string; value: string }>(
    `select n.name, set_config(n.name, n.value, false) as value
     from unnest($1::text[], $2::text[]) as n (name, value)
     where current_setting(n.name, true) is not null`,
    [Object.keys(settings), Object.values(settings)],
  );
  // A second transaction: a pooler in transaction mode may use another session for it.
  const read = await client.query<{ name: string; value: string | null }>(
    "select n.name, current_setting(n.name, true) as value from unnest($1::text[]) as n (name)",
    [set.rows.map(({ name }) => name)],
  );
  const inForce = new Map(read.rows.map(({ name, value }) => [name, value]));
  const problems = set.rows.flatMap(({ name, value }) => {
    const now = inForce.get(name);
    return now === value ? [] : [`${name} is ${now ?? "unknown"} and must be ${value}`];
  });
  if (problems.length > 0) {
    throw new SessionSettingsError(`database session: ${problems.join("; ")} (${POOLER})`);
  }
  client.identity = await readIdentity(client);
}

async function readIdentity(client: pg.Client) {
  const { rows } = await client.query<{ pid: number; started: string }>(
    `select a.pid, floor(date_part('epoch', a.backend_start) * 1e6)::bigint::text as started
     from pg_stat_get_activity(pg_backend_pid()) a`,
  );
  return { processId: rows[0]?.pid ?? 0, startedAt: rows[0]?.started ?? "" };
}

/**
 * Refuses a pooler that gives the session to other clients between transactions, since they would
 * share their settings. The session is shared if a second client sees a mark that this one set.
 */
export async function refuseSharedSession(client: HeldClient): Promise<void> {
  // Without a pooler, the backend sent its own process id.
  if (client.namedProcessId === client.identity?.processId) return;
  const mark = randomUUID();
  await client.query("select set_config('portcullis.session', $1, false)", [mark]);
  const seen = await askApart<{ mark: string | null }>(
    client,
    "select current_setting('portcullis.session', true) as mark",
    [],
  );
  if (seen?.[0]?.mark !== mark) return;
  throw new SessionSettingsError(
    "database session: another client was given it between two transactions, so that no setting " +
      `and no prepared statement is its own (${POOLER})`,
  );
}
