import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below the range of ephemeral ports, so that no outgoing connection takes the port. */
const PORTS = { min: 10_240, max: 32_000 };
/** Even a busy machine has most of this range free. */
const ATTEMPTS_MAX = 100;

/** Returns a TCP port on the loopback interface that is free now. */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(PORTS.min, PORTS.max);
    if (await isPortFree("127.0.0.1", port)) return port;
  }
  throw new Error(`no free port found from ${PORTS.min} to ${PORTS.max}`);
}

/** Whether a server can listen on a port now. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
