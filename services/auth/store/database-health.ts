import type { Database } from "./database.ts";

/** Fresh enough for operators, and no load for the database. */
const PROBE_INTERVAL_MS = 5_000;

/** Whether the database answered the last probe. Information for operators alone. */
export type DatabaseHealth = { state(): "ok" | "failing"; stop(): void };

export function createDatabaseHealth(db: Database): DatabaseHealth {
  let state: "ok" | "failing" = "ok";
  const probe = () => {
    db.run("health", (queryable) => queryable.query("select 1"), "known").then(
      () => {
        state = "ok";
      },
      () => {
        state = "failing";
      },
    );
  };
  const timer = setInterval(probe, PROBE_INTERVAL_MS);
  timer.unref();
  return { state: () => state, stop: () => clearInterval(timer) };
}
