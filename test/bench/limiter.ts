import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { migrate, readMigrations } from "../../services/runtime/migrate.ts";
import { createPostgresPool } from "../../services/runtime/postgres.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { startPostgresServer } from "../../tools/up/postgres-server.ts";
import { type LimiterProcess, startLimiter } from "../limiter/limiter-process.ts";
import { BENCH_POLICIES, type Contestant, type Places } from "./limiter-contestants.ts";
import type { LoadOrder, LoadReport } from "./limiter-load.ts";
import { startRedis } from "./limiter-redis.ts";
import { drawChart, type Measurement, printReport, type Report } from "./limiter-report.ts";
import type { WorkloadName } from "./limiter-workloads.ts";

/** Enough to fill several flushes; more would only wait longer. */
const IN_FLIGHT = 2_000;
const WARM_UP_MS = 1_500;
const MEASURE_MS = 1_500;
/** Time for all processes of one measurement to start and warm up. */
const REPLICAS_START_MS = 5_000;

/** For all contestants: a million rows fit, and no checkpoint falls into a measurement. */
const SETTINGS = ["shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min"];

/**
 * The contestants of each workload. Redis and memory store nothing on disk; they are there for
 * comparison.
 */
const PROGRAMME: ReadonlyArray<[WorkloadName, readonly Contestant[]]> = [
  [
    "uniform10k",
    [
      "engine",
      "engine, by its client",
      "engine, by unary RPC",
      "raw sorted-batch upsert",
      "one upsert per decision",
      "rate-limiter-flexible, Postgres",
      "rate-limiter-flexible, Redis",
      "rate-limiter-flexible, memory",
    ],
  ],
  ["uniform1m", ["engine", "raw sorted-batch upsert", "rate-limiter-flexible, Postgres"]],
  [
    "hot",
    [
      "engine",
      "engine, by its client",
      "engine, by unary RPC",
      "raw sorted-batch upsert",
      "one upsert per decision",
      "rate-limiter-flexible, Postgres",
      "rate-limiter-flexible, Redis",
    ],
  ],
  [
    "zipf",
    [
      "engine",
      "raw sorted-batch upsert",
      "rate-limiter-flexible, Postgres",
      "rate-limiter-flexible, Redis",
    ],
  ],
  [
    "rejected",
    [
      "engine",
      "rate-limiter-flexible, Postgres",
      "rate-limiter-flexible, Redis",
      "rate-limiter-flexible, memory",
    ],
  ],
  ["onlyRejected", ["engine", "rate-limiter-flexible, memory"]],
  ["groups", ["engine", "rate-limiter-flexible, Postgres", "rate-limiter-flexible, Redis"]],
];
/** The workloads with goals are measured in alternation; the better result of each counts. */
const TURNS: Partial<Record<WorkloadName, number>> = { uniform10k: 3, onlyRejected: 2 };
const REPLICAS = [1, 2, 4];
const LATENCY: readonly Contestant[] = [
  "engine",
  "rate-limiter-flexible, Postgres",
  "rate-limiter-flexible, Redis",
];

/**
 * Measures the engine and its contestants on the same machine in one run; only the ratios matter.
 */
export async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-bench-"));
  const port = await findFreePort();
  const postgres = await startPostgresServer({ folder, port, settings: SETTINGS });
  const redis = await startRedis();
  let limiter: LimiterProcess | undefined;
  try {
    await createSchema(postgres.url);
    limiter = await startLimiter({
      databaseUrl: postgres.url,
      policies: BENCH_POLICIES,
      // A shed request would look like a decided one.
      environment: { LIMITER_DECISION_TIMEOUT_MS: "5000" },
    });
    const places = {
      postgresUrl: postgres.url,
      redisPort: redis?.port,
      limiterUrl: limiter.url,
    };
    if (redis === undefined) process.stdout.write("no redis-server in PATH: measured without it\n");
    const report = await measureAll(places);
    printReport(report);
    await writeFile("bench.json", `${JSON.stringify(report, null, 2)}\n`);
    await writeFile("test/bench/limiter.svg", drawChart(report));
  } finally {
    await limiter?.stop();
    await redis?.stop();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureAll(places: Places): Promise<Report> {
  const takesPart = (contestant: Contestant) =>
    places.redisPort !== undefined || !contestant.endsWith("Redis");
  const throughput: Measurement[] = [];
  for (const [workload, contestants] of PROGRAMME) {
    const turns: Measurement[] = [];
    for (let turn = 0; turn < (TURNS[workload] ?? 1); turn++) {
      for (const contestant of contestants.filter(takesPart)) {
        turns.push(await measure({ contestant, workload, places, replicas: 1 }));
      }
    }
    turns.sort((a, b) => b.perSecond - a.perSecond);
    for (const contestant of contestants.filter(takesPart)) {
      throughput.push(...turns.filter((turn) => turn.contestant === contestant).slice(0, 1));
    }
  }
  const replicas: Measurement[] = [];
  for (const count of REPLICAS) {
    const order = { contestant: "engine", workload: "uniform10k", places } as const;
    replicas.push(await measure({ ...order, replicas: count }));
  }
  const latency: Measurement[] = [];
  for (const contestant of LATENCY.filter(takesPart)) {
    const order = { contestant, workload: "uniform10k", places, isOpen: true } as const;
    latency.push(await measure({ ...order, replicas: 1 }));
  }
  return {
    machine: `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? "unknown"}, Node ${process.version}`,
    measuredAt: new Date().toISOString(),
    throughput,
    replicas,
    latency,
  };
}

async function measure(options: {
  contestant: Contestant;
  workload: WorkloadName;
  places: Places;
  replicas: number;
  isOpen?: boolean;
}): Promise<Measurement> {
  const { contestant, workload, places, replicas } = options;
  const order: LoadOrder = {
    contestant,
    workload,
    places,
    inFlight: options.isOpen ? undefined : Math.ceil(IN_FLIGHT / replicas),
    warmUpMs: WARM_UP_MS,
    measureMs: MEASURE_MS,
    startAtMs: replicas === 1 ? 0 : Date.now() + REPLICAS_START_MS,
  };
  const reports = await Promise.all(
    Array.from({ length: replicas }, async () => await runLoadProcess(order)),
  );
  const measurement = {
    contestant,
    workload,
    replicas,
    perSecond: reports.reduce((sum, report) => sum + report.perSecond, 0),
    rejectedShare: Math.max(...reports.map((report) => report.rejectedShare)),
    p50Ms: Math.max(...reports.map((report) => report.p50Ms)),
    p99Ms: Math.max(...reports.map((report) => report.p99Ms)),
  };
  process.stdout.write(
    `${workload.padEnd(12)}${contestant.padEnd(34)}${Math.round(measurement.perSecond)}/s\n`,
  );
  return measurement;
}

/** Runs every measurement in a new process, without warm code or a full heap from another. */
async function runLoadProcess(order: LoadOrder): Promise<LoadReport> {
  const program = fileURLToPath(new URL("./limiter-load-process.js", import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`${order.contestant} failed under ${order.workload}`);
  return JSON.parse(output) as LoadReport;
}

async function createSchema(url: string): Promise<void> {
  const log = pino({ level: "warn" });
  const pool = createPostgresPool({
    url,
    applicationName: "bench",
    connectionsMax: 1,
    statementTimeoutMs: 30_000,
    log,
  });
  const folder = new URL("../../services/limiter/migrations/", import.meta.url);
  await migrate({ pool, schema: "limiter", migrations: await readMigrations(folder), log });
  await pool.end();
}
