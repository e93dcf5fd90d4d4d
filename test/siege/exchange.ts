import { connect, type Socket } from "node:net";

/** The result of sent bytes: a status, or how the connection ended. */
export type Outcome = string;

export const NOT_ANSWERED = "not answered in time";

/** Opens a connection, which the caller closes. The close event reports every error. */
export function dial(url: string, localAddress: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.setNoDelay(true);
  socket.on("error", () => undefined);
  return socket;
}

/** Sends bytes on a new connection, and waits for the first status line or the end. */
export async function exchange(
  url: string,
  bytes: Uint8Array,
  options: {
    localAddress: string;
    timeoutMs: number;
    /** Whether to close the sending half after the bytes. */
    isEnded?: boolean;
  },
): Promise<Outcome> {
  const socket = dial(url, options.localAddress);
  if (options.isEnded === true) socket.end(bytes);
  else socket.write(bytes);
  const outcome = await firstOutcome(socket, options.timeoutMs);
  socket.destroy();
  return outcome;
}

/** Returns the status of the first final answer on a connection, or how it ended without one. */
export function firstOutcome(socket: Socket, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = "";
    const settle = (outcome: Outcome) => {
      clearTimeout(timer);
      socket.off("data", read);
      resolve(outcome);
    };
    const read = (piece: Buffer) => {
      text = (text + piece.toString("latin1")).slice(0, HEAD_LENGTH_MAX);
      const status = finalStatus(text);
      if (status !== undefined) settle(status);
    };
    const timer = setTimeout(() => settle(NOT_ANSWERED), timeoutMs);
    socket.on("data", read);
    socket.once("error", (error) => settle(reasonOf(error)));
    socket.once("close", () => settle("closed"));
  });
}

/** No response head of our services is longer. */
const HEAD_LENGTH_MAX = 8_192;

/** Skips informational answers such as `100 Continue`. */
function finalStatus(text: string): string | undefined {
  return /^(?:HTTP\/1\.1 1(?!01)\d\d[\s\S]*?\r\n\r\n)*HTTP\/1\.1 (101|[2-5]\d\d)/.exec(text)?.[1];
}

function reasonOf(error: Error): Outcome {
  return "code" in error && error.code === "ECONNREFUSED" ? "nobody listens" : "cut";
}
