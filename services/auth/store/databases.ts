import type { Logger } from "../../runtime/log.ts";
import { createDatabase, type Database } from "./database.ts";

/**
 * Connections by kind of work. No kind can take those of another, so that a crowd at one RPC does
 * not stop the others. A few serve thousands of statements a second; more only slow Postgres down.
 */
const CONNECTIONS = {
  /** Accounts, their networks and new login sessions. */
  login: 4,
  /** Records of failed and limited logins: strangers cause them, and each waits for the disk. */
  audit: 2,
  /** Refresh and Logout. */
  refresh: 3,
  /** Minting and revoking datasource tokens. */
  datasources: 3,
  introspection: 3,
  /** The revocation feed; every gateway polls it once a second. */
  revocations: 2,
  /** Put, retention, the audit of failure modes, health. */
  administration: 3,
} as const;

/**
 * Pages mint for all of their streams at once: room for all that one address may have in flight.
 */
const WAITING_MAX: Readonly<Partial<Record<keyof typeof CONNECTIONS, number>>> = {
  datasources: 1_024,
};

/** The most connections that auth holds after its start. During the start it holds one. */
export const CONNECTIONS_MAX = Object.values(CONNECTIONS).reduce((sum, some) => sum + some, 0);

export type Databases = Readonly<Record<keyof typeof CONNECTIONS, Database>>;

export function createDatabases(url: string, log: Logger): Databases & { end(): Promise<void> } {
  const create = (kind: keyof typeof CONNECTIONS) =>
    createDatabase({
      ...{ url, kind, log },
      connectionsMax: CONNECTIONS[kind],
      waitingMax: WAITING_MAX[kind],
    });
  const databases = {
    login: create("login"),
    audit: create("audit"),
    refresh: create("refresh"),
    datasources: create("datasources"),
    introspection: create("introspection"),
    revocations: create("revocations"),
    administration: create("administration"),
  };
  const end = async () => {
    await Promise.all(Object.values(databases).map(async (database) => await database.end()));
  };
  return { ...databases, end };
}
