import { connect, createServer, type Socket } from "node:net";
import { findFreePort } from "../../tools/up/free-port.ts";

/** A way to a server that can be blocked while its connections stay open, and that counts. */
export type TcpProxy = {
  url: string;
  /** Bytes that clients have sent so far. */
  sentBytes(): number;
  /** Accepts everything and passes on nothing. */
  stall(): void;
  resume(): void;
  stop(): Promise<void>;
};

export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isStalled = false;
  let sentBytes = 0;
  const follow = (from: Socket, to: Socket, onBytes: (bytes: number) => void) => {
    sockets.add(from);
    from.on("data", (chunk) => {
      onBytes(chunk.length);
      // What arrives during a stall is lost, as it is in a network that fails.
      if (!isStalled) to.write(chunk);
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port) });
    follow(client, upstream, (bytes) => {
      sentBytes += bytes;
    });
    follow(upstream, client, () => undefined);
  });
  const ownPort = await findFreePort();
  await new Promise<void>((resolve) => server.listen(ownPort, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${ownPort}`,
    sentBytes: () => sentBytes,
    stall: () => {
      isStalled = true;
    },
    resume: () => {
      isStalled = false;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
