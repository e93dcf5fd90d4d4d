import { once } from "node:events";
import { Agent, request } from "node:http";
import pc from "picocolors";
import { type Child, startChild } from "../../tools/up/child.ts";
import { cpuMs } from "./process-cpu.ts";

/** Enough to keep one process busy. */
const IN_FLIGHT = 16;
const WARM_UP_CALLS = 5_000;
const ROUND_CALLS = 5_000;
/** Rounds alternate, so that other load affects all equally. */
const ROUNDS = 8;
const STOP_TIMEOUT_MS = 2_000;

const BODY = JSON.stringify({ buckets: [{ policy: "realtime.connect.ip", key: "203.0.113.9" }] });
const KINDS = ["bare", "stranger", "known caller"] as const;

type Server = { kind: string; child: Child; port: number; agent: Agent; cpuUs: number[] };

/**
 * Measures the cost of the way in: a handler behind it, and the same handler on node:http alone.
 */
export async function run(): Promise<void> {
  const servers = await Promise.all(KINDS.map(startServer));
  try {
    for (const server of servers) await callMany(server, WARM_UP_CALLS);
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of servers) {
        const before = cpuMs(server.child.pid);
        await callMany(server, ROUND_CALLS);
        server.cpuUs.push(((cpuMs(server.child.pid) - before) * 1_000) / ROUND_CALLS);
      }
    }
    print(servers);
  } finally {
    for (const { agent, child } of servers) {
      agent.destroy();
      await child.stop(STOP_TIMEOUT_MS);
    }
  }
}

function print(servers: readonly Server[]): void {
  const bareUs = meanOf(servers[0]?.cpuUs ?? []);
  process.stdout.write(
    `JSON in and out, ${IN_FLIGHT} in flight, mean of ${ROUNDS} rounds of ${ROUND_CALLS} calls\n`,
  );
  for (const { kind, cpuUs } of servers) {
    const us = meanOf(cpuUs);
    const name = kind === "bare" ? "node:http alone" : `the way in, ${kind}`;
    const figures = `${us.toFixed(1)} µs of CPU a call`;
    const ratio = pc.bold(`× ${(us / bareUs).toFixed(2)}`);
    process.stdout.write(`  ${name.padEnd(30)} ${figures.padEnd(28)} ${ratio}\n`);
  }
}

async function startServer(kind: string): Promise<Server> {
  const program = new URL("./way-in-server.js", import.meta.url).pathname;
  let onPort = (_port: number) => {};
  const port = new Promise<number>((resolve) => {
    onPort = resolve;
  });
  const child = await startChild({
    name: kind,
    command: process.execPath,
    arguments: [program, kind],
    environment: { PATH: process.env["PATH"] },
    onLine: (line) => onPort(Number(line)),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  return { kind, child, port: await port, agent, cpuUs: [] };
}

async function callMany(server: Server, calls: number): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next++ < calls) await call(server);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

async function call({ agent, port }: Server): Promise<void> {
  const headers = {
    "content-type": "application/json",
    "content-length": BODY.length,
    authorization: "Bearer token-of-the-operator",
    "x-forwarded-for": "203.0.113.9",
  };
  const sent = request({ agent, port, path: "/echo", method: "POST", headers });
  sent.end(BODY);
  const [response] = await once(sent, "response");
  response.resume();
  await once(response, "end");
  if (response.statusCode !== 200) throw new Error(`the server answered ${response.statusCode}`);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
