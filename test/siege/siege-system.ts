import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../tools/up/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../tools/up/postgres-server.ts";
import {
  type ServiceName,
  type ServiceProcess,
  startServiceProcess,
} from "../fixtures/service-process.ts";
import { type System, startSystem } from "../fixtures/services.ts";
import { type Doors, doorsOf } from "./doors.ts";
import { INSPECTOR } from "./measure/live-bytes.ts";

/** A system under attack: its own services on its own database. */
export type SiegeSystem = {
  doors: Doors;
  services: Readonly<Record<ServiceName, ServiceProcess>>;
  /** The URL of the server itself, past anything between it and the services. */
  databaseUrl: string;
  postgres: PostgresServer;
  /** Another limiter on the same database, with a small heap. */
  startSecondLimiter(): Promise<{ url: string; process: ServiceProcess }>;
  stop(): Promise<void>;
};

/** Each client has its own address, which the proxy in front sends. */
const BEHIND_ONE_PROXY = { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" };

/** The heap size in a small container. */
const SMALL_HEAP_MB = 128;

export async function startSiegeSystem(
  options: {
    environment?: Readonly<Record<string, string>>;
    /** The folder for the data of Postgres; if undefined, a temporary folder. */
    folder?: string;
    /** The network between the services and Postgres. */
    wayToPostgres?: (url: string) => Promise<{ url: string; stop(): Promise<void> }>;
  } = {},
): Promise<SiegeSystem> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "portcullis-siege-")));
  const postgres = await startPostgresServer({ folder, port: await findFreePort() });
  const cleanUps: (() => Promise<void>)[] = [
    async () => {
      await postgres.stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  ];
  const stop = async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  };
  try {
    const way = await options.wayToPostgres?.(postgres.url);
    if (way !== undefined) cleanUps.push(way.stop);
    const databaseUrl = way?.url ?? postgres.url;
    const environment = { ...BEHIND_ONE_PROXY, ...INSPECTOR, ...options.environment };
    const system = await startSystem({ databaseUrl, environment });
    cleanUps.push(system.stop);
    return {
      doors: doorsOf(system.urls),
      services: system.services,
      databaseUrl: postgres.url,
      postgres,
      async startSecondLimiter() {
        const second = await startSecondLimiter(system, environment);
        cleanUps.push(second.process.stop);
        return second;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startSecondLimiter(
  system: System,
  environment: Readonly<Record<string, string>>,
): Promise<{ url: string; process: ServiceProcess }> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const process = await startServiceProcess({
    name: "limiter",
    url,
    environment: {
      NODE_ENV: "test",
      DATABASE_URL: system.databaseUrl,
      ...environment,
      NODE_OPTIONS: `${INSPECTOR.NODE_OPTIONS} --max-old-space-size=${SMALL_HEAP_MB}`,
      LIMITER_PORT: String(port),
      LIMITER_METRICS_PORT: String(await findFreePort()),
    },
  });
  return { url, process };
}
