import { divideConnections } from "../../services/gateway/session/connection-bounds.ts";
import type { SessionSocket } from "../../services/gateway/session/outbox.ts";
import { chooseEngine } from "../../services/gateway/socket/choose-engine.ts";
import type { EngineChoice } from "../../services/gateway/socket/engine.ts";

/** One of the servers that the engine benchmark compares; prints its library and its port. */
const choice: EngineChoice = process.argv[2] === "ws" ? "ws" : "uws";

/** A client that sends a number makes the server send that many updates to all clients. */
const UPDATE = Buffer.from(
  JSON.stringify({ update: { datasource: "demo", json: "x".repeat(256) } }),
);

const sockets = new Set<SessionSocket>();
const engine = chooseEngine(choice);
const door = await engine.openDoor({
  host: "127.0.0.1",
  port: 0,
  bounds: divideConnections(Number.POSITIVE_INFINITY),
  isProxy: () => true,
  events: { shed: () => undefined },
  route(exchange) {
    const key = exchange.request.headers.get("sec-websocket-key")?.[0] ?? "";
    exchange.upgrade({ key, subprotocol: "" }, (socket) => ({
      opened: () => sockets.add(socket),
      message: (data) => publish(Number(Buffer.from(data).toString())),
      control: () => undefined,
      drained: () => undefined,
      closed: () => sockets.delete(socket),
    }));
  },
});

/** Sends each update in its own turn of the event loop, as publishers do. */
function publish(updates: number): void {
  if (updates === 0) return;
  for (const socket of sockets) socket.send(UPDATE, false);
  setImmediate(publish, updates - 1);
}

process.stdout.write(`${JSON.stringify({ port: door.port, version: engine.version })}\n`);
