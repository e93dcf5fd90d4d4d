import { describe, expect, test } from "vitest";
import { checkHandshake, type HeaderLines } from "./handshake.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ORIGIN = "https://app.example";

test("checkHandshake() accepts what browsers and proxies send", () => {
  const accepted: [string, Record<string, string[]>][] = [
    ["no origin", {}],
    ["an allowed origin", { origin: [ORIGIN] }],
    ["a list in connection", { connection: ["keep-alive, Upgrade"] }],
    ["connection on two lines", { connection: ["keep-alive", "upgrade"] }],
    ["another case", { upgrade: ["WebSocket"] }],
  ];
  for (const [what, headers] of accepted) {
    expect(check(headers), what).toMatchObject({ kind: "valid", key: KEY });
  }
});

test("checkHandshake() picks the client's first subprotocol that we speak", () => {
  const json = "portcullis.realtime.v1.json";
  const proto = "portcullis.realtime.v1.proto";
  const cases = [
    { offered: undefined, subprotocol: json, echo: "" },
    { offered: [json], subprotocol: json, echo: json },
    { offered: [`${proto}, ${json}`], subprotocol: proto, echo: proto },
    { offered: ["chat", proto], subprotocol: proto, echo: proto },
  ];
  for (const { offered, ...expected } of cases) {
    const headers = offered === undefined ? {} : { "sec-websocket-protocol": offered };
    expect(check(headers), String(offered)).toMatchObject(expected);
  }
});

describe("checkHandshake() refuses", () => {
  const refused: [string, number, Record<string, string[]>][] = [
    ["a plain request", 426, { upgrade: [] }],
    ["another upgrade", 426, { upgrade: ["h2c"] }],
    ["a connection that is not to be upgraded", 426, { connection: ["keep-alive"] }],
    ["version 8", 426, { "sec-websocket-version": ["8"] }],
    ["two versions", 426, { "sec-websocket-version": ["13", "13"] }],
    ["no key", 400, { "sec-websocket-key": [] }],
    ["two keys", 400, { "sec-websocket-key": [KEY, KEY] }],
    ["a short key", 400, { "sec-websocket-key": ["AAAA"] }],
    ["a key that is not base64", 400, { "sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZ!=="] }],
    ["a key of another length", 400, { "sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQAA"] }],
    ["strange subprotocols alone", 400, { "sec-websocket-protocol": ["chat, v2"] }],
    ["an empty offer", 400, { "sec-websocket-protocol": [""] }],
    ["a strange origin", 403, { origin: ["https://evil.example"] }],
    ["the null origin", 403, { origin: ["null"] }],
    ["an origin in another case", 403, { origin: ["https://APP.example"] }],
    ["an origin with a path", 403, { origin: [`${ORIGIN}/`] }],
    ["two origins", 403, { origin: [ORIGIN, ORIGIN] }],
  ];
  for (const [what, status, headers] of refused) {
    test(`${what} with ${status}`, () => {
      expect(check(headers)).toMatchObject({ kind: "refused", status });
    });
  }
});

function check(changes: Record<string, string[]>) {
  const headers: HeaderLines = new Map(
    Object.entries({
      upgrade: ["websocket"],
      connection: ["Upgrade"],
      "sec-websocket-version": ["13"],
      "sec-websocket-key": [KEY],
      ...changes,
    }),
  );
  return checkHandshake(headers, new Set([ORIGIN]));
}
