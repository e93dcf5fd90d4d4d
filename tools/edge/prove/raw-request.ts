import { connect } from "node:net";

/** A request as bytes, so that nothing repairs what a hostile client would send. */
export type RawRequest = {
  method: string;
  target: string;
  headerLines: readonly string[];
  body?: string;
};

/** Where to connect to, and which of this machine's addresses to connect from. */
export type Target = { host: string; port: number; localAddress?: string };

export type RawResponse = {
  /** 0 when there was no answer, and the connection was closed or kept. */
  status: number;
  text: string;
};

/** A server that has not answered by then is taken not to answer. */
const TIMEOUT_MS = 2_000;

/** Sends one request and reads up to the end of its answer's head, or of the connection. */
export async function sendRaw(to: Target, request: RawRequest): Promise<RawResponse> {
  return await sendBytes(to, formatRequest(request));
}

/** Any bytes at all, for those that are no request. */
export async function sendBytes(to: Target, bytes: Buffer): Promise<RawResponse> {
  return await new Promise((resolve) => {
    let text = "";
    const socket = connect(to, () => socket.write(bytes));
    const finish = () => {
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), text });
    };
    socket.setTimeout(TIMEOUT_MS, finish);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (isComplete(text)) finish();
    });
    socket.on("close", finish);
    // A server that refuses may reset the connection while the rest is still being written.
    socket.on("error", finish);
  });
}

function isComplete(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, end))?.[1] ?? 0);
  return text.length >= end + 4 + length;
}

/** The bytes of a request. */
export function formatRequest({ method, target, headerLines, body = "" }: RawRequest): Buffer {
  const head = [`${method} ${target} HTTP/1.1`, ...headerLines, "", ""].join("\r\n");
  return Buffer.from(`${head}${body}`, "latin1");
}
