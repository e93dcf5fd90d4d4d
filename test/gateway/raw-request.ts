import { connect } from "node:net";

export type RawAnswer = { status: number; headers: ReadonlyMap<string, string>; text: string };

const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Sends a request byte for byte, so that header lines stay as they are, and reads the head of the
 * answer and whatever came with it. The connection is then cut.
 */
export async function sendRaw(
  url: string,
  requestLine: string,
  headerLines: readonly string[],
  body = "",
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const head = [requestLine, `Host: ${hostname}:${port}`, ...headerLines, "", ""].join("\r\n");
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error("no answer")));
  socket.write(head + body, "latin1");
  let text = "";
  for await (const piece of socket) {
    text += String(piece);
    const end = text.indexOf("\r\n\r\n");
    const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
    if (end >= 0 && text.length >= end + 4 + length) break;
  }
  socket.destroy();
  const [first = "", ...lines] = (text.split("\r\n\r\n")[0] ?? "").split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(first.split(" ")[1]),
    headers: new Map(headers),
    text: text.slice(text.indexOf("\r\n\r\n") + 4),
  };
}

/** The header lines of a good handshake. */
export const HANDSHAKE_LINES = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** Asks for an upgrade with these lines beside or instead of those of a good handshake. */
export async function upgradeRaw(
  gatewayUrl: string,
  headerLines: readonly string[],
  handshakeLines: readonly string[] = HANDSHAKE_LINES,
): Promise<RawAnswer> {
  const lines = [...handshakeLines, ...headerLines];
  return await sendRaw(gatewayUrl, "GET /gateway/realtime HTTP/1.1", lines);
}
