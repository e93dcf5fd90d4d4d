import type { Encoding } from "./encodings.ts";

/** A way to turn a message into a request. */
export type Framing = {
  name: string;
  frame(
    message: Buffer,
    codec: "json" | "proto",
    encoding: Encoding,
  ): { method: string; query?: string; headers: Record<string, string>; body: Buffer };
};

const COMPRESSED = 1;
/** No server accepts a longer request line. */
const QUERY_LENGTH_MAX = 15_000;

export const FRAMINGS: readonly [Framing, ...Framing[]] = [
  {
    name: "Connect",
    frame: (message, codec, encoding) => ({
      method: "POST",
      headers: {
        "content-type": `application/${codec}`,
        "connect-protocol-version": "1",
        "content-encoding": encoding.name,
      },
      body: encoding.encode(message),
    }),
  },
  enveloped("gRPC-web", "application/grpc-web+", "grpc-encoding"),
  enveloped("gRPC", "application/grpc+", "grpc-encoding"),
  enveloped("Connect streaming", "application/connect+", "connect-content-encoding"),
  {
    name: "Connect GET",
    frame: (message, codec, encoding) => {
      const encoded = encoding.encode(message).toString("base64url").slice(0, QUERY_LENGTH_MAX);
      const query = `connect=v1&base64=1&encoding=${codec}&compression=${encoding.name}`;
      return {
        method: "GET",
        query: `${query.replaceAll(" ", "")}&message=${encoded}`,
        headers: {},
        body: Buffer.alloc(0),
      };
    },
  },
];

/** Connect envelopes: the bomb in one, or empty ones without end. */
function enveloped(name: string, contentType: string, encodingHeader: string): Framing {
  return {
    name,
    frame: (message, codec, encoding) => {
      const encoded = encoding.encode(message);
      const isBare = encoding.name === "identity";
      return {
        method: "POST",
        headers: {
          "content-type": `${contentType}${codec}`,
          [encodingHeader]: encoding.name.split(",")[0] ?? "",
          "connect-protocol-version": "1",
          te: "trailers",
        },
        body: Buffer.concat([envelope(isBare ? 0 : COMPRESSED, encoded), EMPTY_ENVELOPES]),
      };
    },
  };
}

function envelope(flags: number, data: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
}

/** Bytes after the first message must not be read as more messages. */
const EMPTY_ENVELOPES = Buffer.alloc(5 * 200);
