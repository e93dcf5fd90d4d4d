import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type PostgresServer, startPostgresServer } from "../../tools/up/postgres-server.ts";
import type { LimiterProcess } from "../limiter/limiter-process.ts";
import type { Pooler } from "../limiter/pooler.ts";

/** What can be broken. */
export type Deployment = {
  folder: string;
  postgres: PostgresServer;
  /** Absent where PgBouncer is not installed. */
  pooler: Pooler | undefined;
  replicas: readonly LimiterProcess[];
};

/** What each kind of fault did, in the end. */
export type FaultCounts = Record<FaultName, number>;

/** Longer than a call's deadline, so that every caller notices. */
const POOLER_STANDS_STILL_MS = 1_500;
/** A client's first requests, all at once. */
const COLD_REQUESTS = 1_000;
/** For a machine that also runs the load. */
const COLD_TIMEOUT_MS = 10_000;

/**
 * Each breaks something and mends it again. Answers what was wrong while nothing was broken: what
 * merely failed is counted as lost by the callers.
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
  /** Every replica starts with nothing in memory, under the load of all callers. */
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
  /** A client's process begins with a burst, right after the replica that it asks. */
  async coldClient({ replicas }: Deployment) {
    const replica = replicas[randomInt(replicas.length)];
    await crash(replica);
    const file = "dist/test/clients/cold-burst-process.js";
    const parameters = [file, replica?.url ?? "", String(COLD_REQUESTS), String(COLD_TIMEOUT_MS)];
    const { stdout } = await promisify(execFile)(process.execPath, parameters);
    const { next } = JSON.parse(stdout);
    // The burst itself may be shed by a replica that is busy; nobody else may notice.
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

/** Draws the faults so that each comes once in a round, in an order that nobody knows. */
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

/** Breaks one thing, and mends it; answers what must not have happened. */
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
