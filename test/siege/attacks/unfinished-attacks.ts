import type { Attack } from "../attack.ts";
import { DOOR_NAMES, type DoorName } from "../doors.ts";
import { type Load, rest } from "../load.ts";
import { isServed, TARGETS } from "../targets.ts";
import { type Held, holdConnections } from "./hold-connections.ts";

/** Connections of each attack to each door. */
const CONNECTIONS = 24;
/** The maximum that one connection sends in an attack. */
const BYTES_PER_CONNECTION_MAX = 12 * 1024 * 1024;
const DRIP_MS = 400;

const POST = "POST";
const START = (path: string) => `${POST} ${path} HTTP/1.1\r\nhost: portcullis\r\n`;
const JSON_TYPE = "content-type: application/json\r\n";
const CHUNKED = `${JSON_TYPE}transfer-encoding: chunked\r\n\r\n`;

/** One-byte chunks, as many as fit a good write size. */
const TINY_CHUNKS = Buffer.from("1\r\nA\r\n".repeat(4_096));
const CHUNK_EXTENSIONS = Buffer.from(`1;${"x".repeat(1_000)}\r\nA\r\n`.repeat(16));
const EMPTY_LINES = Buffer.from("\r\n".repeat(4_096));

/** The bytes of one connection, which never complete a request. */
type Script = (load: Load, held: Held, path: string) => Promise<void>;

const SCRIPTS: Readonly<Record<string, Script>> = {
  "slow-heads": async (load, held, path) => {
    await held.write(START(path));
    await drip(load, held, (round) => `x-${round}: ${round}\r\n`);
  },
  "slow-head-bytes": async (load, held, path) => {
    const head = `${START(path)}x-slow: ${"y".repeat(1_000)}`;
    await drip(load, held, (round) => head.slice(round, round + 1));
  },
  "endless-heads": async (load, held, path) => {
    await held.write(START(path));
    const lines = Buffer.from(`x-more: ${"z".repeat(200)}\r\n`.repeat(64));
    await pour(load, held, lines);
  },
  "endless-request-lines": async (load, held) => {
    await held.write("GET /");
    await pour(load, held, Buffer.alloc(16_384, "a"));
  },
  "empty-lines": async (load, held) => await pour(load, held, EMPTY_LINES),
  "tiny-chunks": async (load, held, path) => {
    await held.write(START(path) + CHUNKED);
    await pour(load, held, TINY_CHUNKS);
  },
  "chunk-extensions": async (load, held, path) => {
    await held.write(START(path) + CHUNKED);
    await pour(load, held, CHUNK_EXTENSIONS);
  },
  "slow-chunks": async (load, held, path) => {
    await held.write(START(path) + CHUNKED);
    await drip(load, held, () => "1\r\nA\r\n");
  },
  "a-chunk-without-end": async (load, held, path) => {
    await held.write(`${START(path)}${CHUNKED}fffffff\r\n`);
    await pour(load, held, Buffer.alloc(65_536, "b"));
  },
  "trailers-without-end": async (load, held, path) => {
    await held.write(`${START(path)}${CHUNKED}0\r\n`);
    await pour(load, held, Buffer.from(`x-trailer: ${"t".repeat(200)}\r\n`.repeat(64)));
  },
  "lengths-never-filled": async (load, held, path) => {
    await held.write(`${START(path)}${JSON_TYPE}content-length: 60000\r\n\r\n{"a":"`);
    await drip(load, held, () => "x");
  },
  "bodies-that-stop": async (_load, held, path) => {
    const body = `{"a":"${"x".repeat(30_000)}`;
    await held.write(`${START(path)}${JSON_TYPE}content-length: 60000\r\n\r\n${body}`);
  },
  "continue-and-nothing": async (_load, held, path) => {
    const expect = "expect: 100-continue\r\ncontent-length: 1000\r\n\r\n";
    await held.write(START(path) + JSON_TYPE + expect);
  },
  "half-closed": async (_load, held, path) => {
    held.socket.end(`${START(path)}${JSON_TYPE}content-length: 100\r\n\r\n{`);
  },
  "half-closed-heads": async (_load, held, path) => {
    held.socket.end(START(path));
  },
};

/** Sends each kind of unfinished request to every door at once. */
export const UNFINISHED_ATTACKS: readonly Attack[] = Object.entries(SCRIPTS).map(
  ([name, script]) => ({
    name,
    title: `${name.replaceAll("-", " ")}: requests that are never complete, to every door`,
    holdsFromSharedAddress: false,
    isAboutConnections: true,
    run: async (load) => {
      await Promise.all(
        DOOR_NAMES.map(
          async (door) =>
            await holdConnections(
              load,
              { name: `${name} ${door}`, url: load.doors[door], count: CONNECTIONS },
              async (held, index) => await script(load, held, pathFor(door, index)),
            ),
        ),
      );
    },
  }),
);

/** Uses the RPCs of a door in turn, so that each is left unfinished. */
function pathFor(door: DoorName, index: number): string {
  const served = TARGETS.filter((target) => target.door === door && isServed(target));
  return served[index % Math.max(1, served.length)]?.path ?? "/gateway/realtime";
}

/** Writes a little at intervals. */
async function drip(load: Load, held: Held, piece: (round: number) => string): Promise<void> {
  for (let round = 0; await held.write(piece(round)); round++) await rest(load, DRIP_MS);
}

/** Writes as much as the service reads, up to a bound. */
async function pour(load: Load, held: Held, piece: Buffer): Promise<void> {
  for (let bytes = 0; bytes < BYTES_PER_CONNECTION_MAX; bytes += piece.length) {
    if (!(await held.write(piece))) return;
    // Yields, so that all connections take turns.
    await rest(load, 1);
  }
}
