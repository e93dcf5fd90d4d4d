import { once } from "node:events";
import pc from "picocolors";
import { WebSocket } from "ws";
import { type Child, startChild } from "../../tools/up/child.ts";
import { cpuMs } from "./process-cpu.ts";

const CLIENTS = 200;
/** Updates to every client in a round. */
const UPDATES = 500;
const CONNECTS = 1_000;
/** Rounds alternate, so that other load affects all equally. */
const ROUNDS = 5;
const STOP_TIMEOUT_MS = 2_000;

type Server = {
  name: string;
  child: Child;
  port: number;
  version: string;
  clients: WebSocket[];
  usPerDelivery: number[];
  usPerConnection: number[];
};

/** Compares the CPU of the two websocket engines. */
export async function run(): Promise<void> {
  const servers = await Promise.all(["uws", "ws"].map(startServer));
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      for (const server of servers) {
        const perDelivery = await measure(server, CLIENTS * UPDATES, async () => {
          await deliver(server);
        });
        const perConnection = await measure(server, CONNECTS, async () => {
          for (let at = 0; at < CONNECTS; at++) (await connect(server.port)).terminate();
        });
        // The first round warms up.
        if (round === 0) continue;
        server.usPerDelivery.push(perDelivery);
        server.usPerConnection.push(perConnection);
      }
    }
    print(servers);
  } finally {
    for (const { clients, child } of servers) {
      for (const client of clients) client.terminate();
      await child.stop(STOP_TIMEOUT_MS);
    }
  }
}

function print(servers: readonly Server[]): void {
  const text = `updates of 300 bytes to ${CLIENTS} clients, mean of ${ROUNDS} rounds\n`;
  process.stdout.write(text);
  for (const { name, version, usPerDelivery, usPerConnection } of servers) {
    const delivery = `${meanOf(usPerDelivery).toFixed(1)} µs of CPU a delivery`;
    const connection = `${meanOf(usPerConnection).toFixed(0)} µs a connection`;
    process.stdout.write(
      `  ${`${name} ${version}`.padEnd(14)} ${pc.bold(delivery)}, ${connection}\n`,
    );
  }
}

async function startServer(name: string): Promise<Server> {
  const program = new URL("./engine-server.js", import.meta.url).pathname;
  let onLine = (_line: string) => {};
  const line = new Promise<string>((resolve) => {
    onLine = resolve;
  });
  const child = await startChild({
    name,
    command: process.execPath,
    arguments: [program, name],
    environment: { PATH: process.env["PATH"] },
    onLine: (text) => onLine(text),
  });
  const { port, version }: { port: number; version: string } = JSON.parse(await line);
  const clients: WebSocket[] = [];
  for (let at = 0; at < CLIENTS; at++) clients.push(await connect(port));
  return { name, child, port, version, clients, usPerDelivery: [], usPerConnection: [] };
}

/** Returns the server's CPU for one operation, in microseconds. */
async function measure(
  { child }: Server,
  times: number,
  work: () => Promise<void>,
): Promise<number> {
  const before = cpuMs(child.pid);
  await work();
  return ((cpuMs(child.pid) - before) * 1_000) / times;
}

async function deliver({ clients }: Server): Promise<void> {
  const arrived = clients.map(async (client) => {
    let updates = 0;
    await new Promise<void>((resolve) => {
      client.on("message", () => {
        updates += 1;
        if (updates === UPDATES) resolve();
      });
    });
    client.removeAllListeners("message");
  });
  clients[0]?.send(String(UPDATES));
  await Promise.all(arrived);
}

async function connect(port: number): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/gateway/realtime`);
  await once(client, "open");
  return client;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
