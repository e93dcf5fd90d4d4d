import { clientFrame } from "./raw-frames.ts";
import { HANDSHAKE_LINES } from "./raw-request.ts";

/** How an engine ends a connection, in words, and as the text that comes back shows it. */
type Ending = { says: string; text: RegExp };
/** How an engine ends a websocket: with a close code, by cutting it (1006), or not at once. */
type Closing = { says: string; code: 1002 | 1005 | 1006 | 1007 | 1009 | "open" };

type Difference<T> = { input: string; bytes: string; uws: T; ws: T };

const HANDSHAKE = ["GET /gateway/realtime HTTP/1.1", "Host: a", ...HANDSHAKE_LINES, "", ""];

/** They end with the version. */
const UPGRADE_LINES = HANDSHAKE_LINES.filter((line) => !line.includes("Key"));

function answered(says: string, text: RegExp): Ending {
  return { says, text };
}

/** Requests that the engines answer differently; both at once. */
export const REQUEST_DIFFERENCES: readonly Difference<Ending>[] = [
  {
    input: "`GET /healthz HTTP/1.0`",
    bytes: "GET /healthz HTTP/1.0\r\n\r\n",
    uws: answered("505", /^HTTP\/1.1 505 /),
    ws: answered("200", /^HTTP\/1.1 200 [\s\S]*alive/),
  },
  {
    input: "`GET http://host/healthz`",
    bytes: "GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    uws: answered("505", /^HTTP\/1.1 505 /),
    ws: answered("200", /^HTTP\/1.1 200 [\s\S]*alive/),
  },
  {
    input: "`Transfer-Encoding`",
    bytes: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    uws: answered("closed without an answer", /^$/),
    ws: answered("411", /^HTTP\/1.1 411 /),
  },
  {
    input: "a method that HTTP does not have",
    bytes: "DANCE /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    uws: answered("as any other: 405 or 404", /^HTTP\/1.1 405 /),
    ws: answered("400", /^HTTP\/1.1 400 /),
  },
  {
    input: "bytes that are no HTTP, for example TLS",
    bytes: `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${"a".repeat(300)}`,
    uws: answered("505", /^HTTP\/1.1 505 /),
    ws: answered("400", /^HTTP\/1.1 400 /),
  },
  {
    // Without a key there is no websocket, and the version is looked at first.
    input: "bytes above 127 at the ends of a header's value",
    bytes: `${["GET /gateway/realtime HTTP/1.1", "Host: a", ...UPGRADE_LINES].join("\r\n")}\xff\r\n\r\n`,
    uws: answered("are trimmed", /^HTTP\/1.1 400 [\s\S]*Key/),
    ws: answered("belong to it", /^HTTP\/1.1 426 [\s\S]*Version/),
  },
  {
    input: "a second request behind a handshake",
    bytes: HANDSHAKE.join("\r\n").repeat(2),
    uws: answered("closed without an answer", /^$/),
    ws: answered("400", /^HTTP\/1.1 400 /),
  },
  {
    input: "`Expect: 100-continue`",
    bytes: "POST /healthz HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    uws: answered("100, then the answer", /^HTTP\/1.1 100 [\s\S]*HTTP\/1.1 405 /),
    ws: answered("the answer", /^HTTP\/1.1 405 /),
  },
  {
    input: "the body of what the parser refuses (400, 431, 505)",
    bytes: `GET / HTTP/1.1\r\nHost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
    uws: answered("HTML", /^HTTP\/1.1 431 [\s\S]*<h1>/),
    ws: answered("JSON", /^HTTP\/1.1 431 [\s\S]*"code":/),
  },
];

export const PROTOCOL_ERROR: Difference<Closing> = {
  input: "a frame that breaks the protocol: bits, opcodes, order, control frames",
  bytes: clientFrame(1, "{}", { reservedBits: 0x40 }),
  uws: { says: "cut (1006)", code: 1006 },
  ws: { says: "1002", code: 1002 },
};

export const MESSAGE_TOO_LARGE: Difference<Closing> = {
  input: "a message above 40 KiB",
  bytes: clientFrame(1, "x".repeat(41 * 1024)),
  uws: { says: "cut (1006)", code: 1006 },
  ws: { says: "1009", code: 1009 },
};

const FRAGMENT = clientFrame(0, " ".repeat(1_024), { isLast: false });

export const ENDLESS_FRAGMENTS: Difference<Closing> = {
  input: "fragments of a message, once they are above 40 KiB",
  bytes: clientFrame(1, "{", { isLast: false }) + FRAGMENT.repeat(41),
  uws: { says: "cut (1006)", code: 1006 },
  ws: { says: "1009", code: 1009 },
};

/** Frames that the engines end a websocket for, each in its own way. */
export const FRAME_DIFFERENCES: readonly Difference<Closing>[] = [
  PROTOCOL_ERROR,
  {
    input: "a close frame with a code that there is not",
    bytes: clientFrame(8, "\x03\xe7"),
    uws: { says: "closed without a code (1005)", code: 1005 },
    ws: { says: "1002", code: 1002 },
  },
  {
    input: "text that is no UTF-8",
    bytes: clientFrame(1, "\xff\xfe"),
    uws: { says: "cut (1006)", code: 1006 },
    ws: { says: "1007", code: 1007 },
  },
  {
    input: "a frame without a mask",
    bytes: clientFrame(1, "{}", { isMasked: false }),
    uws: { says: "not seen: cut (1006) with the next frame, or after 64 s", code: "open" },
    ws: { says: "1002", code: 1002 },
  },
  MESSAGE_TOO_LARGE,
  ENDLESS_FRAGMENTS,
];

/** The table of differences as ARCHITECTURE.md must have it. */
export function engineTable(): string {
  const rows = [...REQUEST_DIFFERENCES, ...FRAME_DIFFERENCES].map(
    ({ input, uws, ws }) => `| ${input} | ${uws.says} | ${ws.says} |`,
  );
  return ["| input at :8001 | uws | ws |", "| --- | --- | --- |", ...rows].join("\n");
}
