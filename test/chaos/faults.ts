import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type PostgresServer, startPostgresServer } from "../../tools/up/postgres-server.ts";
import type { LimiterProcess } from "../limiter/limiter-process.ts";
import type { Pooler } from "../limiter/pooler.ts";

/** The parts that faults break. */
export type Deployment = {
  folder: string;
  postgres: PostgresServer;
  /** Undefined if PgBouncer is not installed. */
  pooler: Pooler | undefined;
  replicas: readonly LimiterProcess[];
};

/** The number of faults of each kind. */
export type FaultCounts = Record<FaultName, number>;

/** Longer than a call's deadline, so that every caller notices. */
const POOLER_STANDS_STILL_MS = 1_500;
/** The first requests of a client, sent together. */
const COLD_REQUESTS = 1_000;
/** For a machine that also runs the load. */
const COLD_TIMEOUT_MS = 10_000;

/**
 * Each fault breaks something and mends it. Returns the violations seen while nothing was broken:
 * callers count failed calls as lost.
 */
const FAULTS = {
  async databaseCrash(deployment: Deployment) {
    deployment.postgres.kill();
    await deployment.postgres.exited;
    const { folder, postgres } = deployment;
    deployment.postgres = await startPostgresServer({ folder, port: postgres.port });
    return [];
  },
  async replicaKilled({ replicas }: Deployment) {
    await crash(replicas[randomInt(replicas.length)]);
    return [];
  },
  /** Restarts every replica with empty memory, under the load of all callers. */
  async allReplicasKilled({ replicas }: Deployment) {
    await Promise.all(replicas.map(crash));
    return [];
  },
  async poolerCrash({ pooler }: Deployment) {
    await pooler?.crash();
    return [];
  },
  async poolerStandsStill({ pooler }: Deployment) {
    pooler?.signal("SIGSTOP");
    await sleep(POOLER_STANDS_STILL_MS);
    pooler?.signal("SIGCONT");
    return [];
  },
  /** Starts a client process with a burst, right after the replica that it calls. */
  async coldClient({ replicas }: Deployment) {
    const replica = replicas[randomInt(replicas.length)];
    await crash(replica);
    const file = "dist/test/clients/cold-burst-process.js";
    const parameters = [file, replica?.url ?? "", String(COLD_REQUESTS), String(COLD_TIMEOUT_MS)];
    const { stdout } = await promisify(execFile)(process.execPath, parameters);
    const { next } = JSON.parse(stdout);
    // A busy replica may shed the burst; no other caller may be affected.
    return next === "allowed" ? [] : [`a bystander of a client that started cold: ${next}`];
  },
};

export type FaultName = keyof typeof FAULTS;

export const NO_FAULTS: Readonly<FaultCounts> = {
  databaseCrash: 0,
  replicaKilled: 0,
  allReplicasKilled: 0,
  poolerCrash: 0,
  poolerStandsStill: 0,
  coldClient: 0,
};

/** Draws each fault once per round, in random order. */
export function createFaultDeck(deployment: Deployment): () => FaultName {
  const names = Object.keys(FAULTS)
    .filter(isFaultName)
    .filter((name) => {
      return deployment.pooler !== undefined || !name.startsWith("pooler");
    });
  let deck: FaultName[] = [];
  return () => {
    if (deck.length === 0) deck = [...names];
    const [name] = deck.splice(randomInt(deck.length), 1);
    return name ?? "replicaKilled";
  };
}

/** Breaks one thing and mends it; returns violations. */
export async function cause(name: FaultName, deployment: Deployment): Promise<string[]> {
  return await FAULTS[name](deployment);
}

function isFaultName(name: string): name is FaultName {
  return name in FAULTS;
}

async function crash(replica: LimiterProcess | undefined): Promise<void> {
  await replica?.process.kill("SIGKILL");
  await replica?.process.restart();
}
