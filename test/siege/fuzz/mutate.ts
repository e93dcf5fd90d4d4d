import type { Random } from "../random.ts";

/** Fragments that have broken parsers of HTTP, JSON, protobuf and websockets. */
const DICTIONARY: readonly [string, ...string[]] = [
  "\0",
  "\r\n",
  "\n\n",
  "\r",
  ": ",
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\u0000",
  "\\ud800",
  "__proto__",
  "constructor",
  "null",
  "1e999",
  "-0",
  "9".repeat(40),
  "\xff\xff\xff\xff\x0f",
  "\x80",
  "transfer-encoding: chunked\r\n",
  "content-length: 5\r\n",
  "content-length: -1\r\n",
  "content-encoding: br\r\n",
  "expect: 100-continue\r\n",
  "upgrade: websocket\r\n",
  "connection: upgrade\r\n",
  "x-forwarded-for: 1.2.3.4, ::1\r\n",
  "grpc-timeout: 1n\r\n",
  "connect-timeout-ms: 0\r\n",
  "connect-timeout-ms: 99999999999999999999\r\n",
  "HTTP/1.1",
  "../",
  "%00",
  "?",
];

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  (bytes, random) => {
    const changed = Buffer.from(bytes);
    const at = random.below(Math.max(1, bytes.length));
    if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    return changed;
  },
  (bytes, random) => replaced(bytes, random, 1, random.bytes(1)),
  (bytes, random) => replaced(bytes, random, 0, random.bytes(1 + random.below(16))),
  (bytes, random) => replaced(bytes, random, 1 + random.below(16), Buffer.alloc(0)),
  (bytes, random) => replaced(bytes, random, 0, word(random)),
  (bytes, random) => replaced(bytes, random, random.below(8), word(random)),
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => {
    const from = random.below(bytes.length + 1);
    const piece = bytes.subarray(from, from + random.below(64));
    return replaced(bytes, random, 0, Buffer.alloc(piece.length * (1 + random.below(20)), piece));
  },
];

/** Changes bytes in a few places in ways that are hard for parsers. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated = bytes;
  for (let times = 1 + random.below(4); times > 0; times--) {
    mutated = random.pick(MUTATIONS)(mutated, random);
  }
  return mutated;
}

function word(random: Random): Buffer {
  return Buffer.from(random.pick(DICTIONARY), "latin1");
}

function replaced(bytes: Buffer, random: Random, length: number, by: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + length)]);
}
