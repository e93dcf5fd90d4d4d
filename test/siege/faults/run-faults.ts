import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { runSql } from "../../fixtures/postgres.ts";
import { DEFAULT_BOUNDS } from "../attack.ts";
import { type Finding, findBroken } from "../finding.ts";
import { startSiegeSystem } from "../siege-system.ts";
import { openStage, type Stage } from "../stage.ts";
import { mountDisk } from "./disk.ts";
import type { Fault, FaultPlace } from "./fault.ts";
import { type Network, startNetwork } from "./network.ts";

/** A stage whose database can hang in every way. */
export type FaultStage = { stage: Stage; place: FaultPlace; stop(): Promise<void> };

/** Another user of the same server, without the right to its reserved connections. */
const BYSTANDER = { name: "siege_bystander", password: "siege" };
const BYSTANDER_TIMEOUT_MS = 2_000;

export async function openFaultStage(
  honestAddress: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<FaultStage> {
  const disk = mountDisk();
  const folder = disk?.directory ?? (await mkdtemp(join(tmpdir(), "portcullis-siege-")));
  const removeFolder = async () => {
    if (disk === undefined) await rm(folder, { recursive: true, force: true });
    else disk.unmount();
  };
  let network: Network | undefined;
  try {
    const system = await startSiegeSystem({
      folder,
      environment,
      wayToPostgres: async (url) => {
        network = await startNetwork(url);
        return network;
      },
    });
    if (network === undefined) throw new Error("there is no way to Postgres");
    const { name, password } = BYSTANDER;
    await runSql(system.databaseUrl, `create role ${name} login password '${password}'`);
    const stage = await openStage(system, { honestAddress });
    return {
      stage,
      place: { system, network, disk },
      async stop() {
        await stage.stop();
        await system.stop();
        await removeFolder();
      },
    };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}

/** Makes commits hang for a while, and reports the results during and after that. */
export async function runFault(
  { stage, place }: FaultStage,
  fault: Fault,
  seconds: number,
): Promise<Finding> {
  const { name } = fault;
  const skipped = fault.impossible?.(place);
  if (skipped !== undefined) return { name, broken: [], skipped };
  const bounds = { ...DEFAULT_BOUNDS, ...fault.bounds };
  const measured = await stage.measure(async () => {
    const mend = await fault.inflict(place);
    const problems: string[] = [];
    try {
      await sleep(seconds * 500);
      if (fault.othersCanConnect) problems.push(...(await tryAsBystander(place)));
      await sleep(seconds * 500);
    } finally {
      await mend();
    }
    return { counts: {}, problems };
  });
  const { refusals } = bounds;
  return {
    name,
    broken: findBroken(measured, bounds),
    measured,
    ...(refusals && { reason: refusals.reason }),
  };
}

/** Checks that the server has connections left for other users. */
async function tryAsBystander({ system }: FaultPlace): Promise<string[]> {
  const url = new URL(system.databaseUrl);
  url.username = BYSTANDER.name;
  url.password = BYSTANDER.password;
  const client = new pg.Client({
    connectionString: url.href,
    connectionTimeoutMillis: BYSTANDER_TIMEOUT_MS,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.end();
    return [];
  } catch (error) {
    return [`others cannot connect to the database: ${String(error)}`];
  }
}
