import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pino } from "pino";
import { Secret } from "../../services/runtime/secret.ts";
import { sendJson, serve } from "../../services/runtime/serve.ts";
import { openToAnyone, type RoutePolicy } from "../../services/runtime/way-in/route-policy.ts";

/** One of the servers that the way-in benchmark compares; prints its port. */
const [, , kind] = process.argv;

const CALLERS = {
  gateway: [new Secret("token-of-the-gateway")],
  auth: [new Secret("token-of-auth")],
  operator: [new Secret("token-of-the-operator")],
};

const forService: RoutePolicy = { ...openToAnyone(), callers: ["operator"] };

async function start(): Promise<number> {
  if (kind === "bare") return await startBare();
  const server = await serve({
    door: "bench",
    kind: "internal",
    host: "127.0.0.1",
    port: 0,
    log: pino({ level: "silent" }),
    policies: { "POST /echo": kind === "known caller" ? forService : openToAnyone() },
    callers: CALLERS,
    trust: { hops: 1 },
    routes: () => undefined,
    interceptors: [],
    httpRoutes: {
      "POST /echo": ({ body, response }) => sendJson(response, 200, JSON.parse(String(body))),
    },
  });
  return server.port;
}

/** The same work on node:http with nothing in front of it. */
async function startBare(): Promise<number> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () =>
      sendJson(response, 200, JSON.parse(Buffer.concat(pieces).toString("utf8"))),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

process.stdout.write(`${await start()}\n`);
