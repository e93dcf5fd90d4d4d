import { randomInt } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { parsePolicies } from "../../services/limiter/rules/parse-policies.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { startPostgresServer } from "../../tools/up/postgres-server.ts";
import { POLICIES as COLD_CLIENT_POLICIES } from "../clients/test-client.ts";
import { type LimiterProcess, startLimiter } from "../limiter/limiter-process.ts";
import { findPooler, startPooler } from "../limiter/pooler.ts";
import { AdmissionLog } from "./admission-log.ts";
import { KEYS, LOAD_POLICIES, SALT, startLoad } from "./caller-load.ts";
import { cause, createFaultDeck, type Deployment, type FaultCounts, NO_FAULTS } from "./faults.ts";

const POLICIES = { ...LOAD_POLICIES, ...COLD_CLIENT_POLICIES };

/** The replicas that use the pooler, if there is one. */
const POOLED = [false, true, true];
/** The backends of both replicas behind the pooler, and of their predecessors that are ending. */
const POOLER_SETTINGS = ["pool_mode = session", "default_pool_size = 60", "max_client_conn = 200"];

export type ChaosReport = {
  decisions: number;
  allowed: number;
  /** Requests that may or may not have been charged. */
  lost: number;
  faults: FaultCounts;
  tookMs: number;
  /** Buckets that admitted more than their policy allows, and bystanders that were refused. */
  violations: string[];
  /** Buckets whose state lacks an admitted charge, or holds one that nobody requested. */
  missing: string[];
};

/**
 * Runs replicas, directly and through a pooler, while everything between them and the disk crashes,
 * hangs and restarts. Stops after enough decisions and every fault; then compares the admissions
 * with the policies and with the buckets' state.
 */
export async function runChaos(options: {
  decisions: number;
  /** The time between two faults. */
  calmMs: { min: number; max: number };
  print?: (line: string) => void;
}): Promise<ChaosReport> {
  const startedAtMs = performance.now();
  const print = options.print ?? (() => undefined);
  const log = new AdmissionLog();
  const faults = { ...NO_FAULTS };
  const violations: string[] = [];
  const deployment = await deploy();
  const load = startLoad(
    deployment.replicas.map(({ url }) => url),
    log,
  );
  const draw = createFaultDeck(deployment);
  try {
    const isComplete = () => log.decisions >= options.decisions && hadAll(faults, deployment);
    while (!isComplete()) {
      await sleep(randomInt(options.calmMs.min, options.calmMs.max));
      const fault = draw();
      violations.push(...(await cause(fault, deployment)));
      faults[fault]++;
      print(`${fault}: ${log.decisions} decisions, ${log.allowed} allowed, ${log.lost} lost`);
    }
    await load.stop();
    violations.push(...log.findViolations(parsePolicies({ policies: POLICIES })));
    const missing = await findMissing(deployment, log);
    const { decisions, allowed, lost } = log;
    const tookMs = performance.now() - startedAtMs;
    return { decisions, allowed, lost, faults, tookMs, violations, missing };
  } finally {
    await load.stop();
    await tearDown(deployment);
  }
}

async function deploy(): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-chaos-"));
  await chmod(folder, 0o755);
  const postgres = await startPostgresServer({ folder, port: await findFreePort() });
  const isPoolerThere = (await findPooler()) !== undefined;
  const pooler = isPoolerThere ? await startPooler(postgres.url, POOLER_SETTINGS) : undefined;
  const replicas = await Promise.all(
    POOLED.map((isPooled) => startReplica(isPooled ? (pooler ?? postgres).url : postgres.url)),
  );
  return { folder, postgres, pooler, replicas };
}

async function tearDown({ folder, postgres, pooler, replicas }: Deployment): Promise<void> {
  await Promise.all(replicas.map(async (replica) => await replica.stop()));
  await pooler?.stop();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

async function startReplica(databaseUrl: string): Promise<LimiterProcess> {
  return await startLimiter({
    databaseUrl,
    policies: POLICIES,
    environment: {
      SECURITY_LIMITER_HASH_SALT: SALT,
      LOG_LEVEL: "fatal",
      // The test is about correctness, not about the speed of this machine.
      LIMITER_DECISION_TIMEOUT_MS: "1000",
    },
  });
}

function hadAll(faults: FaultCounts, { pooler }: Deployment): boolean {
  return Object.entries(faults).every(
    ([name, times]) => times > 0 || (pooler === undefined && name.startsWith("pooler")),
  );
}

/** A daily bucket must hold every admission, and at most the lost requests in addition. */
async function findMissing(deployment: Deployment, log: AdmissionLog): Promise<string[]> {
  const { burst, limit } = LOAD_POLICIES.daily;
  const missing: string[] = [];
  for (let index = 0; index < KEYS; index++) {
    const key = `key-${index}`;
    const answer = await deployment.replicas[0]?.rpc("Peek", {
      buckets: [{ policy: "daily", key }],
    });
    const decision = answer?.body["decision"] as { buckets: Array<{ remaining: string }> };
    const held = burst - Number(decision.buckets[0]?.remaining);
    const { admitted, unknown } = log.countOf("daily", key);
    // Tokens that refilled during the test are no longer held.
    const refilled = Math.ceil((limit * performance.now()) / 86_400_000);
    if (held < admitted - refilled || held > admitted + unknown) {
      missing.push(`daily ${key}: holds ${held}, admitted ${admitted}, unknown ${unknown}`);
    }
  }
  const deadlocks = await countDeadlocks(deployment.postgres.url);
  return deadlocks === 0 ? missing : [...missing, `${deadlocks} deadlocks`];
}

async function countDeadlocks(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ deadlocks: string }>(
    "select d.deadlocks::text from pg_stat_database d where d.datname = current_database()",
  );
  await client.end();
  return Number(rows[0]?.deadlocks);
}
