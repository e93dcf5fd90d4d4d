import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { DoorKeeper } from "../door.ts";
import { cannotListen, type Door, type DoorOptions, type Engine } from "../engine.ts";
import type { Connection } from "../exchange.ts";
import { HEAD_LINES_MAX } from "../request-head.ts";
import { copyRequest, findHeadProblem, isHandshake } from "./arrival.ts";
import { createHttpServer } from "./http-server.ts";
import { IdleSockets } from "./idle-sockets.ts";
import { Lingering } from "./lingering.ts";
import { answerUnreadable } from "./unreadable.ts";
import { createUpgrader } from "./upgrader.ts";
import { WsWire } from "./wire.ts";

export function createWsEngine(version: string, reason: string): Engine {
  return { name: "ws", version, reason, openDoor: open };
}

/** Opens the door on `node:http`, whose upgraded sockets go to the `ws` library. */
async function open(options: DoorOptions): Promise<Door> {
  const keeper = new DoorKeeper(options);
  const idle = new IdleSockets();
  const lingering = new Lingering(options.bounds.waiting);
  const upgrade = createUpgrader(idle);
  const server = createHttpServer(HEAD_LINES_MAX);
  const met = new WeakMap<Duplex, { wire: WsWire; connection: Connection }>();

  server.on("connection", (socket: Socket) => {
    const wire = new WsWire(socket, lingering, upgrade);
    const connection = keeper.meet(wire, socket.remoteAddress ?? "");
    met.set(socket, { wire, connection });
    socket.once("close", () => connection.end());
  });

  const receive = (request: IncomingMessage, early?: Buffer): Connection | undefined => {
    const known = met.get(request.socket);
    if (known === undefined) return undefined;
    const { wire, connection } = known;
    const problem = findHeadProblem(request, early);
    if (problem !== undefined) {
      connection.answer(problem);
      return undefined;
    }
    const isUpgrade = early !== undefined && isHandshake(request);
    if (isUpgrade) wire.handshake = request;
    const arrival = { copied: copyRequest(request), isUpgrade };
    keeper.receive(connection, { arrival, bytes: 0, isLast: early !== undefined });
    return connection;
  };

  const receiveWithBody = (request: IncomingMessage) => {
    const connection = receive(request);
    // The end of the connection reports a request that breaks off.
    request.on("error", () => undefined);
    if (connection === undefined) return void request.resume();
    request.on("data", (chunk: Buffer) => {
      keeper.receive(connection, { bytes: chunk.byteLength, isLast: false });
    });
    request.on("end", () => keeper.receive(connection, { bytes: 0, isLast: true }));
  };

  /** Receives a request whose body node:http does not parse: an upgrade or a CONNECT. */
  const receiveWhole = (request: IncomingMessage, socket: Duplex, early: Buffer) => {
    const connection = receive(request, early);
    socket.on("error", () => undefined);
    // A client that has ended its half does not wait for an answer.
    socket.once("end", () => connection?.isOpen && socket.destroy());
  };

  server.on("request", receiveWithBody);
  // A client that expects 100-continue gets only the final answer.
  server.on("checkContinue", receiveWithBody);
  server.on("checkExpectation", receiveWithBody);
  server.on("upgrade", receiveWhole);
  server.on("connect", receiveWhole);
  server.on("clientError", (error: Error & { code?: string }, stream) => {
    answerUnreadable(met.get(stream)?.connection, error, stream);
  });

  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error) => reject(cannotListen(options.host, options.port, error));
    server.once("error", refuse);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off("error", refuse);
      // An error while accepting concerns one client only.
      server.on("error", () => undefined);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close() {
      // Before the server closes, since that cuts connections without a request.
      keeper.close();
      server.close();
      idle.stop();
    },
  };
}
