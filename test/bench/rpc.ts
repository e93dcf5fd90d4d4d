import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pc from "picocolors";
import { policiesTextWith } from "../fixtures/policies.ts";
import { startServiceProcess } from "../fixtures/service-process.ts";
import { findAddresses, TOKENS } from "../fixtures/services.ts";
import { cpuMs } from "./process-cpu.ts";

/** The cheapest RPC shows the overhead best: a decision in memory, without a database. */
const METHOD = "/portcullis.limiter.v1.LimiterService/Consume";
const KEYS = 10_000;
/** Enough to keep one process busy. */
const IN_FLIGHT = 16;
const WARM_UP_CALLS = 2_000;
const ROUND_CALLS = 400;
/** Rounds alternate, so that other load affects all equally; the median counts. */
const ROUNDS = 12;
/** Equal processes differ by some percent for their whole life, so several are measured. */
const PROCESSES = 3;
/** The promised bound. */
const RATIO_MAX = 1.15;

const POLICIES = {
  bench: { key: "text", algorithm: "token_bucket", limit: 1_000_000, period: "1m" },
};

type Limiter = { name: string; pid: number; call(key: number): Promise<void>; stop(): void };
type Round = { wallUs: number; cpuUs: number };

/** Compares the cost of an RPC with telemetry on and off, as a ratio. */
export async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-bench-rpc-"));
  const policiesFile = join(folder, "policies.yaml");
  await writeFile(policiesFile, await policiesTextWith(POLICIES));
  const collector = await startCollector();
  const limiters: Limiter[] = [];
  try {
    const modes = [
      { name: "telemetry off", environment: { OTEL_SDK_DISABLED: "true" } },
      { name: "telemetry on", environment: {} },
      {
        name: "on, and every trace exported",
        environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
      },
    ];
    for (let process = 0; process < PROCESSES; process++) {
      for (const { name, environment } of modes) {
        limiters.push(await startLimiter(name, policiesFile, environment));
      }
    }
    for (const limiter of limiters) await callMany(limiter, WARM_UP_CALLS);
    print(await measure(limiters));
  } finally {
    for (const limiter of limiters) limiter.stop();
    collector.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(limiters: readonly Limiter[]): Promise<Map<string, Round[]>> {
  const rounds = new Map<string, Round[]>(limiters.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const limiter of limiters) {
      const cpuBeforeMs = cpuMs(limiter.pid);
      const startedAt = performance.now();
      await callMany(limiter, ROUND_CALLS);
      const wallMs = performance.now() - startedAt;
      const perCall = 1_000 / ROUND_CALLS;
      const cpuUs = (cpuMs(limiter.pid) - cpuBeforeMs) * perCall;
      rounds.get(limiter.name)?.push({ wallUs: wallMs * perCall, cpuUs });
    }
  }
  return rounds;
}

function print(rounds: ReadonlyMap<string, readonly Round[]>): void {
  const [[, off = []] = []] = rounds;
  process.stdout.write(
    `one Consume, decided in memory; ${IN_FLIGHT} under way; ${PROCESSES} processes each, median of ${ROUNDS} rounds of ${ROUND_CALLS}\n`,
  );
  for (const [name, all] of rounds) {
    const wallUs = median(all.map((round) => round.wallUs));
    const cpuUs = mean(all.map((round) => round.cpuUs));
    const time = median(all.map((round, index) => round.wallUs / (off[index]?.wallUs ?? 0)));
    const cpu = cpuUs / mean(off.map((round) => round.cpuUs));
    const times = `${wallUs.toFixed(0)} µs a call, ${cpuUs.toFixed(0)} µs of the limiter's CPU`;
    const ratios = `× ${time.toFixed(2)} time, × ${cpu.toFixed(2)} CPU`;
    process.stdout.write(`  ${name.padEnd(30)} ${times.padEnd(48)} ${pc.bold(ratios)}\n`);
  }
  process.stdout.write(`  bound: telemetry on costs at most × ${RATIO_MAX} of the time\n`);
}

async function startLimiter(
  name: string,
  policiesFile: string,
  environment: Readonly<Record<string, string>>,
): Promise<Limiter> {
  const addresses = await findAddresses();
  const url = addresses.urls.limiter;
  const child = await startServiceProcess({
    name: "limiter",
    url,
    environment: {
      ...addresses.environment,
      ...environment,
      NODE_ENV: "development",
      DB_BACKEND: "memory",
      LIMITER_POLICIES_FILE: policiesFile,
      LOG_LEVEL: "warn",
    },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  return {
    name,
    pid: child.pid,
    call: async (key) => await post(agent, `${url}${METHOD}`, key),
    stop() {
      agent.destroy();
      void child.stop();
    },
  };
}

async function callMany(limiter: Limiter, calls: number): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < calls) {
      next += 1;
      await limiter.call(next % KEYS);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

function post(agent: Agent, url: string, key: number): Promise<void> {
  const body = JSON.stringify({ buckets: [{ policy: "bench", key: `key ${key}` }] });
  return new Promise((resolve, reject) => {
    const call = request(url, {
      agent,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        authorization: `Bearer ${TOKENS.operator}`,
      },
    });
    call.on("error", reject);
    call.on("response", (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`the limiter answered ${response.statusCode}`));
      });
    });
    call.end(body);
  });
}

/** The kernel counts CPU in ticks longer than a round, so only the sum is precise. */
function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Accepts every export and keeps nothing. */
async function startCollector(): Promise<{ url: string; stop(): void }> {
  const server = createServer((message, response) => {
    message.resume();
    message.on("end", () => response.writeHead(200).end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}
