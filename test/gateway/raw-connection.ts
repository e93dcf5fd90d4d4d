import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";

/** A connection on which a test sends bytes as it likes. */
export type RawConnection = {
  socket: Socket;
  /** Everything that came so far. */
  text(): string;
  /** Resolves when the other side has closed, with everything that came. */
  closed: Promise<string>;
};

/** Connects, from another address of loopback when one is given. */
export async function openConnection(url: string, localAddress?: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const from = localAddress === undefined ? {} : { localAddress };
  const socket = connect({ host: hostname, port: Number(port), noDelay: true, ...from });
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (data: Buffer) => {
    text += data.toString("latin1");
  });
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
  socket.on("error", () => {});
  await Promise.race([new Promise((resolve) => socket.once("connect", resolve)), closed]);
  return { socket, text: () => text, closed };
}

/** Sends a text in pieces, each in a segment of its own. */
export async function sendInPieces(
  { socket }: RawConnection,
  text: string,
  bytes: number,
): Promise<void> {
  for (let at = 0; at < text.length && !socket.destroyed; at += bytes) {
    socket.write(text.slice(at, at + bytes), "latin1");
    await sleep(1);
  }
}
