import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import pg from "pg";
import { LimiterService, Outcome } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { parsePolicies } from "../../services/limiter/parse-policies.ts";
import { Receipts } from "../../services/limiter/receipt.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../tools/up/postgres-server.ts";
import { type LimiterProcess, startLimiter } from "../limiter/limiter-process.ts";
import { AdmissionLog } from "./admission-log.ts";

const REPLICAS = 3;
const BATCH = 200;
/** Calls under way at a time to each replica. */
const CALLS_PER_REPLICA = 4;
const CALL_TIMEOUT_MS = 3_000;
/** While a replica is gone its callers wait this long before they try it again. */
const RETRY_MS = 20;
const KEYS = 12;
const SALT = "a salt that survives every crash";
const TOKEN = "development-operator-token";

/**
 * Tight enough to be at their limits most of the time. One token of `daily` refills in minutes:
 * what it lets through can be counted in the end.
 */
const POLICIES = {
  daily: { key: "text", algorithm: "token_bucket", limit: 100, period: "1d", burst: 3_000 },
  bucket: { key: "text", algorithm: "token_bucket", limit: 20, period: "1s", burst: 60 },
  sliding: { key: "text", algorithm: "sliding_window", limit: 30, period: "1s" },
  window: { key: "text", algorithm: "fixed_window", limit: 30, period: "1s" },
};
const POLICY_NAMES = Object.keys(POLICIES) as Array<keyof typeof POLICIES>;

export type ChaosReport = {
  decisions: number;
  allowed: number;
  /** Requests of which nobody knows whether they were charged. */
  lost: number;
  replicasKilled: number;
  databaseCrashes: number;
  tookMs: number;
  /** Buckets that admitted more than their policy lets them. */
  violations: string[];
  /** Buckets that do not hold all that was admitted, or hold what nobody asked for. */
  missing: string[];
};

/**
 * Has replicas decide while they are killed and the database crashes, until enough was decided;
 * then compares what was admitted with the policies, and with what the buckets hold.
 */
export async function runChaos(options: {
  decisions: number;
  /** Between two crashes of anything. */
  calmMs: { min: number; max: number };
  print?: (line: string) => void;
}): Promise<ChaosReport> {
  const startedAtMs = performance.now();
  const print = options.print ?? (() => undefined);
  const folder = await mkdtemp(join(tmpdir(), "portcullis-chaos-"));
  const port = await findFreePort();
  let postgres = await startPostgresServer({ folder, port });
  const replicas = await Promise.all(
    Array.from({ length: REPLICAS }, async () => await startReplica(postgres)),
  );
  const log = new AdmissionLog();
  const report = { replicasKilled: 0, databaseCrashes: 0 };
  let isRunning = true;
  const callers = replicas.flatMap((replica) =>
    Array.from({ length: CALLS_PER_REPLICA }, async () => {
      const client = connect(replica.url);
      while (isRunning) await consumeBatch(client, log);
    }),
  );
  try {
    while (log.decisions < options.decisions) {
      await sleep(randomInt(options.calmMs.min, options.calmMs.max));
      if (randomInt(3) === 0) {
        postgres.kill();
        await postgres.exited;
        postgres = await startPostgresServer({ folder, port });
        report.databaseCrashes++;
      } else {
        const victim = replicas[randomInt(REPLICAS)];
        await victim?.process.kill("SIGKILL");
        await victim?.process.restart();
        report.replicasKilled++;
      }
      print(`${log.decisions} decisions, ${log.allowed} allowed, ${log.lost} lost`);
    }
    isRunning = false;
    await Promise.all(callers);
    const missing = await findMissing(postgres.url, replicas[0], log);
    return {
      ...report,
      decisions: log.decisions,
      allowed: log.allowed,
      lost: log.lost,
      tookMs: performance.now() - startedAtMs,
      violations: log.findViolations(parsePolicies({ policies: POLICIES })),
      missing,
    };
  } finally {
    isRunning = false;
    await Promise.allSettled(callers);
    await Promise.all(replicas.map(async (replica) => await replica.stop()));
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startReplica(postgres: PostgresServer): Promise<LimiterProcess> {
  return await startLimiter({
    databaseUrl: postgres.url,
    policies: POLICIES,
    environment: {
      SECURITY_LIMITER_HASH_SALT: SALT,
      LOG_LEVEL: "fatal",
      // What is asked is whether it is right, not whether this machine is fast enough.
      LIMITER_DECISION_TIMEOUT_MS: "1000",
    },
  });
}

function connect(url: string): Client<typeof LimiterService> {
  return createClient(
    LimiterService,
    createConnectTransport({
      baseUrl: url,
      httpVersion: "1.1",
      interceptors: [
        (next) => async (request) => {
          request.header.set("authorization", `Bearer ${TOKEN}`);
          return await next(request);
        },
      ],
    }),
  );
}

type Wish = { policy: string; key: string };

const receipts = new Receipts([new Secret(SALT)]);

async function consumeBatch(
  client: Client<typeof LimiterService>,
  log: AdmissionLog,
): Promise<void> {
  const requests = Array.from({ length: BATCH }, () => ({ buckets: drawGroup() }));
  const answers = await client
    .consumeBatch({ requests }, { timeoutMs: CALL_TIMEOUT_MS })
    .catch(() => undefined);
  for (const [index, { buckets }] of requests.entries()) {
    const result = answers?.results[index]?.result;
    if (result?.case === "decision" && result.value.outcome !== Outcome.UNSPECIFIED) {
      log.decisions++;
      if (result.value.outcome === Outcome.ALLOWED) admit(log, buckets, result.value.receipt);
    } else {
      log.lost++;
      for (const { policy, key } of buckets) log.lose(policy, key);
    }
  }
  if (answers === undefined) await sleep(RETRY_MS);
}

function admit(log: AdmissionLog, buckets: readonly Wish[], receipt: string): void {
  const read = receipts.read(receipt);
  if (read === undefined) throw new Error("an allowed answer without a receipt");
  log.allowed++;
  for (const { policy, key } of buckets) log.admit(policy, key, read.chargedAtMs);
}

/** One bucket mostly, sometimes a group of three. */
function drawGroup(): Wish[] {
  const size = randomInt(10) < 7 ? 1 : 3;
  const first = randomInt(POLICY_NAMES.length);
  return Array.from({ length: size }, (_, index) => ({
    policy: POLICY_NAMES[(first + index) % POLICY_NAMES.length] ?? "",
    key: `key-${randomInt(KEYS)}`,
  }));
}

/** A daily bucket must hold all that was admitted, and at most what was lost on top of it. */
async function findMissing(
  databaseUrl: string,
  replica: LimiterProcess | undefined,
  log: AdmissionLog,
): Promise<string[]> {
  const { burst, limit } = POLICIES.daily;
  const missing: string[] = [];
  for (let index = 0; index < KEYS; index++) {
    const key = `key-${index}`;
    const answer = await replica?.rpc("Peek", { buckets: [{ policy: "daily", key }] });
    const decision = answer?.body["decision"] as { buckets: Array<{ remaining: string }> };
    const held = burst - Number(decision.buckets[0]?.remaining);
    const { admitted, unknown } = log.countOf("daily", key);
    // What refilled while the test ran is not held any more.
    const refilled = Math.ceil((limit * performance.now()) / 86_400_000);
    if (held < admitted - refilled || held > admitted + unknown) {
      missing.push(`daily ${key}: holds ${held}, admitted ${admitted}, unknown ${unknown}`);
    }
  }
  const deadlocks = await countDeadlocks(databaseUrl);
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
