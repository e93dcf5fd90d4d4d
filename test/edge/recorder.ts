import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";

/** A request as its bytes reached an upstream. */
export type RecordedRequest = {
  requestLine: string;
  /** Every header line in order, names as they came. */
  lines: readonly { name: string; value: string }[];
  /** The address that the upstream's socket has for its peer. */
  remote: string;
};

/** A server that keeps what it receives, byte for byte, and answers well to anything. */
export type Recorder = {
  port: number;
  /** Takes what was received since the last time. */
  take(): RecordedRequest[];
  stop(): Promise<void>;
};

/** From RFC 6455: what a server adds to the key before it hashes it. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEAD_END = "\r\n\r\n";

export async function startRecorder(): Promise<Recorder> {
  const received: RecordedRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    record(socket, received);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the recorder has no port");
  return {
    port: address.port,
    take: () => received.splice(0),
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function record(socket: Socket, received: RecordedRequest[]): void {
  let text = "";
  socket.on("data", (bytes) => {
    // Latin-1 keeps every byte as one character.
    text += bytes.toString("latin1");
    const end = text.indexOf(HEAD_END);
    if (end < 0) return;
    const request = parseHead(text.slice(0, end), socket.remoteAddress ?? "");
    text = "";
    received.push(request);
    socket.write(answer(request));
  });
}

function parseHead(head: string, remote: string): RecordedRequest {
  const [requestLine = "", ...rest] = head.split("\r\n");
  const lines = rest.map((line) => {
    const colon = line.indexOf(":");
    return {
      name: line.slice(0, colon),
      value: line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ""),
    };
  });
  return { requestLine, lines, remote };
}

function answer(request: RecordedRequest): string {
  const [key] = valuesOf(request, "sec-websocket-key");
  const isUpgrade = valuesOf(request, "upgrade").some((value) => /websocket/i.test(value));
  if (!isUpgrade) return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const accept = createHash("sha1").update(`${key}${WEBSOCKET_GUID}`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

/** All values of one header, line by line. */
export function valuesOf(request: RecordedRequest, name: string): string[] {
  const lines = request.lines.filter((line) => line.name.toLowerCase() === name.toLowerCase());
  return lines.map(({ value }) => value);
}
