import { once } from "node:events";
import { readPoliciesConfig } from "../../services/limiter/rules/policies-config.ts";
import { readPoliciesFile } from "../../services/limiter/rules/policies-file.ts";
import { createEnvReader } from "../../services/runtime/env.ts";
import { readTextFile } from "../../services/runtime/read-text-file.ts";
import { assignPorts } from "./assign-ports.ts";
import { type DemoPublisher, startDemoPublisher } from "./demo-publisher.ts";
import { claimFolder } from "./folder-claim.ts";
import { createPostgresUnit } from "./postgres-unit.ts";
import { createServiceUnit } from "./service-unit.ts";
import { createSupervisor, type Unit } from "./supervisor.ts";
import type { PortName, UpConfig } from "./up-config.ts";
import { makeUpFolder } from "./up-folder.ts";
import { welcomeText } from "./welcome-text.ts";

export type UpOptions = {
  config: UpConfig;
  /** The environment that the services inherit. */
  environment: NodeJS.ProcessEnv;
  /** The folder of the built programs. */
  programs: URL;
  onLine: (line: string, stream: "stdout" | "stderr") => void;
  /** Receives progress messages. */
  report: (text: string) => void;
  /** Receives the addresses and the commands to try. */
  show: (text: string) => void;
  /** Stops everything in order, including a start in progress. */
  stop: AbortSignal;
  /** Kills everything at once, for callers that cannot wait for `stop`. */
  force: AbortSignal;
};

/** How another process of this program is recognised. */
const PROGRAM = "tools/up/main";

/**
 * Runs a whole system on this machine until it is told to stop. Rejects with the first reason why
 * something cannot start, and leaves no process running.
 */
export async function runUp(options: UpOptions): Promise<void> {
  const { folder, databaseUrl } = options.config;
  await checkPolicies(options.environment);
  const ports = await assignPorts(portsOf(options.config));
  if (databaseUrl !== undefined) return await runStages(options, ports, databaseUrl);

  await makeUpFolder(folder);
  const claim = await claimFolder(folder, PROGRAM);
  try {
    await runStages(options, ports, undefined);
  } finally {
    await claim.release();
  }
}

/** The limiter refuses them too, but only once Postgres is set up. */
async function checkPolicies(environment: NodeJS.ProcessEnv): Promise<void> {
  const { policiesFile, ipv6PrefixBits } = readPoliciesConfig(createEnvReader(environment));
  try {
    await readPoliciesFile(readTextFile, policiesFile, { ipv6PrefixBits });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`limiter would refuse to start: ${reason}`, { cause: error });
  }
}

type Ports = Readonly<Record<PortName | "POSTGRES_PORT", number>>;

function portsOf({ ports, postgresPort, databaseUrl }: UpConfig): Ports {
  return { ...ports, POSTGRES_PORT: databaseUrl === undefined ? postgresPort : 0 };
}

async function runStages(
  options: UpOptions,
  ports: Ports,
  externalDatabaseUrl: string | undefined,
): Promise<void> {
  const { config, report, stop, force } = options;
  let databaseUrl = externalDatabaseUrl ?? "";
  const services = createServiceUnits(options, ports, () => databaseUrl);
  const postgres = createPostgresUnit({
    folder: config.folder,
    port: ports.POSTGRES_PORT,
    onUrl: (url) => {
      databaseUrl = url;
    },
  });
  const supervisor = createSupervisor({
    units: externalDatabaseUrl === undefined ? [postgres, ...services] : services,
    restartDelayMs: config.restartDelayMs,
    report,
    signal: stop,
  });
  force.addEventListener("abort", supervisor.kill);
  let publisher: DemoPublisher | undefined;
  try {
    await supervisor.start();
    publisher = startDemoPublisher({
      gatewayUrl: loopbackUrl(ports.GATEWAY_RPC_PORT),
      token: config.publisherToken,
    });
    await Promise.race([publisher.started, aborted(stop)]);
    stop.throwIfAborted();
    report("portcullis is ready");
    const database = { url: databaseUrl, isOurs: externalDatabaseUrl === undefined };
    options.show(welcomeText(ports, database, config));
    await aborted(stop);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    publisher?.stop();
    await supervisor.stop();
  }
}

function createServiceUnits(options: UpOptions, ports: Ports, databaseUrl: () => string): Unit[] {
  const urls = {
    AUTH_URL: loopbackUrl(ports.AUTH_PORT),
    LIMITER_URL: loopbackUrl(ports.LIMITER_PORT),
    GATEWAY_URL: loopbackUrl(ports.GATEWAY_PORT),
    GATEWAY_RPC_URL: loopbackUrl(ports.GATEWAY_RPC_PORT),
    AUTH_ADMIN_URL: loopbackUrl(ports.AUTH_ADMIN_PORT),
  };
  const portTexts = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, String(port)]),
  );
  const create = (name: string, probes: readonly string[]) =>
    createServiceUnit({
      name,
      program: new URL(`services/${name}/main.js`, options.programs),
      probes,
      environment: () => ({
        ...urls,
        ...options.environment,
        ...portTexts,
        DATABASE_URL: databaseUrl(),
        NODE_ENV: "development",
      }),
      onLine: options.onLine,
    });
  return [
    create("limiter", [`${urls.LIMITER_URL}/readyz`]),
    create("auth", [`${urls.AUTH_URL}/readyz`, `${urls.AUTH_ADMIN_URL}/readyz`]),
    create("gateway", [`${urls.GATEWAY_RPC_URL}/readyz`, `${urls.GATEWAY_URL}/healthz`]),
  ];
}

function loopbackUrl(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}
