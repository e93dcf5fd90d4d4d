import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** The directions that the network passes. */
export type Passage = "both" | "nothing" | "requests-only";

/** A network between the services and their database that can stall. */
export type Network = {
  /** The URL of the database through the network. */
  url: string;
  setPassage(passage: Passage): void;
  /** Breaks every connection. */
  cut(): void;
  connections(): number;
  stop(): Promise<void>;
};

type Line = { client: Socket; server: Socket };

/** Forwards bytes between clients and a database; stalled bytes wait and are not lost. */
export async function startNetwork(databaseUrl: string): Promise<Network> {
  const target = new URL(databaseUrl);
  const lines = new Set<Line>();
  let passage: Passage = "both";
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) => {
    const line: Line = {
      client,
      server: connect({ host: target.hostname, port: Number(target.port), allowHalfOpen: true }),
    };
    lines.add(line);
    join(line, () => lines.delete(line));
    apply(line, passage);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(databaseUrl);
  url.port = String(portOf(server));
  const cut = () => {
    for (const { client, server } of lines) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  };
  return {
    url: url.href,
    setPassage(next) {
      passage = next;
      for (const line of lines) apply(line, next);
    },
    cut,
    connections: () => lines.size,
    async stop() {
      server.close();
      cut();
      if (server.listening) await once(server, "close");
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the network has no port");
  return address.port;
}

/** Bytes and ends pass only while the source is read: a paused source passes nothing. */
function join({ client, server }: Line, onGone: () => void): void {
  const ends: readonly (readonly [Socket, Socket])[] = [
    [client, server],
    [server, client],
  ];
  for (const [from, to] of ends) {
    from.setNoDelay(true);
    from.on("data", (piece) => void to.write(piece));
    from.once("end", () => to.end());
    from.once("error", () => to.destroy());
    from.once("close", () => {
      if (to.destroyed) onGone();
    });
  }
}

function apply({ client, server }: Line, passage: Passage): void {
  if (passage === "nothing") client.pause();
  else client.resume();
  if (passage === "both") server.resume();
  else server.pause();
}
