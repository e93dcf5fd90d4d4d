import { createHash } from "node:crypto";
import {
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";

/** A request as its bytes reached an upstream. */
export type RecordedRequest = {
  /** Empty where the upstream was addressed in another protocol than HTTP (FastCGI, for example). */
  requestLine: string;
  /** Every header line in order, names as they came; of HTTP/2, without pseudo-headers. */
  lines: readonly { name: string; value: string }[];
  /** The address that the upstream's socket has for its peer. */
  remote: string;
  /** Whether the connection began with a header of the PROXY protocol. */
  isBehindProxyHeader?: true;
};

/** A server that keeps what it receives, byte for byte, and answers well to anything. */
export type Recorder = {
  port: number;
  /** Takes what was received since the last time. */
  take(): RecordedRequest[];
  stop(): Promise<void>;
};

export type RecorderOptions = {
  /** The port to listen on; any free one unless it is said. */
  port?: number;
  /** With a certificate the recorder answers TLS as well, on the same port. */
  tls?: { cert: string; key: string } | undefined;
};

/** From RFC 6455: what a server adds to the key before it hashes it. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEAD_END = "\r\n\r\n";
/** The first byte of a TLS handshake record. */
const TLS_HANDSHAKE = 0x16;
/** What an HTTP/2 client that knows its server sends first, from RFC 9113. */
const HTTP2_PREFACE = "PRI * HTTP/2.0";
/** The twelve bytes that version 2 of the PROXY protocol begins with. */
const PROXY_V2 = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const PROXY_V2_HEAD_BYTES = 16;
/** A PROXY line of version 1. */
const PROXY_V1 = /^PROXY [^\r\n]*\r\n/;
const REQUEST_START = /^[A-Z]+ /;
/** The chunk without length that ends a body in chunks. */
const LAST_CHUNK = /(?:^|\r\n)0\r\n\r\n/;

/** Starts a recorder on the loopback interface. */
export async function startRecorder({ port = 0, tls }: RecorderOptions = {}): Promise<Recorder> {
  const received: RecordedRequest[] = [];
  const sockets = new Set<Socket>();
  const http2 = createHttp2Recorder(received);
  const context = tls === undefined ? undefined : createSecureContext(tls);
  const accept = (socket: Socket, isBehindProxyHeader = false) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.once("data", (first: Buffer) => {
      socket.pause();
      const bytes = withoutProxyHeader(first);
      const mark = isBehindProxyHeader || bytes.length < first.length;
      if (mark && !isBehindProxyHeader) {
        if (bytes.length > 0) socket.unshift(bytes);
        accept(socket, true);
        socket.resume();
        return;
      }
      const text = bytes.toString("latin1");
      if (context !== undefined && bytes[0] === TLS_HANDSHAKE) {
        socket.unshift(bytes);
        accept(
          new TLSSocket(socket, { isServer: true, secureContext: context, ALPNProtocols: ALPN }),
          mark,
        );
      } else if (text.startsWith(HTTP2_PREFACE)) {
        socket.unshift(bytes);
        http2.emit("connection", socket);
      } else if (REQUEST_START.test(text)) {
        const push = (request: RecordedRequest) => {
          received.push(mark ? { ...request, isBehindProxyHeader: true } : request);
        };
        record(socket, text, push);
        socket.resume();
      } else {
        received.push({ requestLine: "", lines: [], remote: socket.remoteAddress ?? "" });
        socket.destroy();
      }
    });
  };
  const server = createServer((socket) => accept(socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
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

const ALPN = ["h2", "http/1.1"];

function withoutProxyHeader(bytes: Buffer): Buffer {
  if (bytes.subarray(0, PROXY_V2.length).equals(PROXY_V2)) {
    return bytes.subarray(PROXY_V2_HEAD_BYTES + bytes.readUInt16BE(PROXY_V2_HEAD_BYTES - 2));
  }
  const line = PROXY_V1.exec(bytes.subarray(0, 128).toString("latin1"))?.[0] ?? "";
  return bytes.subarray(line.length);
}

function record(socket: Socket, first: string, push: (request: RecordedRequest) => void): void {
  let text = first;
  let bodyBytes = 0;
  let isChunked = false;
  let isTunnel = false;
  /** Takes the next request out of what has arrived; false where more must arrive first. */
  const takeRequest = (): boolean => {
    const skipped = Math.min(bodyBytes, text.length);
    text = text.slice(skipped);
    bodyBytes -= skipped;
    if (isChunked) {
      const last = LAST_CHUNK.exec(text);
      if (last === null) return false;
      text = text.slice(last.index + last[0].length);
      isChunked = false;
    }
    const end = text.indexOf(HEAD_END);
    if (isTunnel || end < 0) return false;
    const request = parseHead(text.slice(0, end), socket.remoteAddress ?? "");
    text = text.slice(end + HEAD_END.length);
    bodyBytes = Number(valuesOf(request, "content-length")[0] ?? 0);
    isChunked = valuesOf(request, "transfer-encoding").length > 0;
    isTunnel = isWebsocket(request);
    push(request);
    socket.write(answer(request));
    return true;
  };
  const takeAll = () => {
    while (takeRequest());
  };
  takeAll();
  // Latin-1 keeps every byte as one character.
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    takeAll();
  });
}

type StreamEvent = [ServerHttp2Stream, IncomingHttpHeaders, number, string[]];

function createHttp2Recorder(received: RecordedRequest[]): Http2Server {
  const server = createHttp2Server();
  server.on("sessionError", () => undefined);
  server.on("stream", (...[stream, headers, , rawHeaders]: StreamEvent) => {
    stream.on("error", () => stream.destroy());
    const pairs = rawHeaders.flatMap((name, index) => {
      const value = rawHeaders[index + 1] ?? "";
      return index % 2 === 0 && !name.startsWith(":") ? [{ name, value }] : [];
    });
    const requestLine = `${headers[":method"] ?? ""} ${headers[":path"] ?? ""} HTTP/2`;
    received.push({
      requestLine,
      lines: pairs,
      remote: stream.session?.socket.remoteAddress ?? "",
    });
    stream.respond({ ":status": 200 });
    stream.end("ok");
  });
  return server;
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
  if (!isWebsocket(request)) return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const accept = createHash("sha1").update(`${key}${WEBSOCKET_GUID}`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

function isWebsocket(request: RecordedRequest): boolean {
  return valuesOf(request, "upgrade").some((value) => /websocket/i.test(value));
}

/** All values of one header, line by line. */
export function valuesOf(request: RecordedRequest, name: string): string[] {
  const lines = request.lines.filter((line) => line.name.toLowerCase() === name.toLowerCase());
  return lines.map(({ value }) => value);
}
