import { randomBytes } from "node:crypto";
import type { Attack } from "../attack.ts";
import { DOOR_NAMES } from "../doors.ts";
import { dial, firstOutcome } from "../exchange.ts";
import { type Load, pace } from "../load.ts";
import { holdConnections } from "./hold-connections.ts";

/** Connections per door; thousands in all. */
const IDLE_CONNECTIONS = 2_500;
const STALLED_READERS = 40;
const STORM = { perSecond: 600, inFlightMax: 400 };
const PIPELINED = 2_000;
const ANSWER_TIMEOUT_MS = 10_000;

/** The first bytes of other protocols. */
const GREETINGS: readonly { name: string; bytes: Buffer }[] = [
  {
    name: "TLS",
    bytes: Buffer.concat([
      Buffer.from("16030102000100 01fc0303".replace(" ", ""), "hex"),
      randomBytes(500),
    ]),
  },
  { name: "HTTP/2", bytes: Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0") },
  {
    name: "PROXY",
    bytes: Buffer.from("PROXY TCP4 203.0.113.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n"),
  },
  { name: "PROXY v2", bytes: Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex") },
  { name: "SSH", bytes: Buffer.from("SSH-2.0-OpenSSH_9.9\r\n") },
  { name: "SMTP", bytes: Buffer.from("EHLO portcullis\r\n") },
  { name: "Redis", bytes: Buffer.from("*1\r\n$4\r\nPING\r\n") },
  { name: "Postgres", bytes: Buffer.from("0000000804d2162f", "hex") },
  { name: "zeros", bytes: Buffer.alloc(4_096) },
  { name: "HTTP/0.9", bytes: Buffer.from("GET /\r\n") },
  { name: "HTTP/3.7", bytes: Buffer.from("GET / HTTP/3.7\r\nhost: x\r\n\r\n") },
];

const PLAIN_REQUEST = "GET /.well-known/jwks.json HTTP/1.1\r\nhost: portcullis\r\n\r\n";

export const CONNECTION_ATTACKS: readonly Attack[] = [
  {
    name: "idle-connections",
    title: `${IDLE_CONNECTIONS} connections to each door, on which nothing is ever sent`,
    holdsFromSharedAddress: false,
    isAboutConnections: true,
    run: async (load) =>
      await toEachDoor(async (url, door) => {
        const name = `idle ${door}`;
        await holdConnections(load, { name, url, count: IDLE_CONNECTIONS }, async () => undefined);
      }, load),
  },
  {
    name: "idle-after-one-request",
    title: "connections that are kept after a good request",
    holdsFromSharedAddress: false,
    isAboutConnections: true,
    run: async (load) =>
      await toEachDoor(async (url, door) => {
        const options = { name: `kept ${door}`, url, count: IDLE_CONNECTIONS / 2 };
        await holdConnections(load, options, async (held) => {
          await held.write("GET /healthz HTTP/1.1\r\nhost: portcullis\r\n\r\n");
        });
      }, load),
  },
  {
    name: "connection-storm",
    title: "connects and disconnects, hundreds a second",
    holdsFromSharedAddress: true,
    isAboutConnections: true,
    run: async (load) => {
      await pace(load, STORM, async (round) => {
        const door = DOOR_NAMES[round % DOOR_NAMES.length] ?? "auth";
        const socket = dial(load.doors[door], load.localAddress);
        await new Promise<void>((resolve) => {
          socket.once("connect", () => socket.resetAndDestroy());
          socket.once("close", () => resolve());
        });
        load.count("connected and gone");
      });
    },
  },
  {
    name: "stalled-readers",
    title: "pipelined requests whose answers nobody reads",
    holdsFromSharedAddress: false,
    isAboutConnections: true,
    run: async (load) =>
      await toEachDoor(async (url, door) => {
        const options = { name: `stalled ${door}`, url, count: STALLED_READERS };
        await holdConnections(load, options, async (held) => {
          held.socket.pause();
          const requests = Buffer.from(PLAIN_REQUEST.repeat(PIPELINED));
          for (let round = 0; round < 20; round++) if (!(await held.write(requests))) return;
        });
      }, load),
  },
  {
    name: "other-protocols",
    title: "the first bytes of TLS, HTTP/2, SSH and others, on plain ports",
    holdsFromSharedAddress: true,
    isAboutConnections: true,
    run: async (load) => {
      await pace(load, { perSecond: 60, inFlightMax: 100 }, async (round) => {
        const door = DOOR_NAMES[round % DOOR_NAMES.length] ?? "auth";
        const greeting = GREETINGS[round % GREETINGS.length];
        if (greeting === undefined) return;
        const socket = dial(load.doors[door], load.localAddress);
        socket.write(greeting.bytes);
        load.count(`${greeting.name}: ${await firstOutcome(socket, ANSWER_TIMEOUT_MS)}`);
        socket.destroy();
      });
    },
  },
];

async function toEachDoor(
  attack: (url: string, door: string) => Promise<void>,
  load: Load,
): Promise<void> {
  // Doors on the same port count as one.
  const urls = new Map(DOOR_NAMES.map((door) => [load.doors[door], door]));
  await Promise.all([...urls].map(([url, door]) => attack(url, door)));
}
