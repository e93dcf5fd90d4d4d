import { once } from "node:events";
import type { Socket } from "node:net";
import type { Attack } from "../attack.ts";
import { type Load, pace, rest, scaled } from "../load.ts";
import { strangerAddress } from "../random.ts";
import { frameOf, OPCODE, textFrame, upgrade } from "./raw-websocket.ts";

/** The number of sessions of each hostile kind. */
const SESSIONS = 24;
const SLOW_READERS = 150;
/** The maximum that one session sends. */
const BYTES_PER_SESSION_MAX = 8 * 1024 * 1024;
/** Sessions from one IPv6 /48, far more than an honest network opens at once. */
const SESSIONS_OF_ONE_48 = { perSecond: 250, inFlightMax: 60 };

/** The bytes that a hostile session repeats until it is closed. */
const PIECES: Readonly<Record<string, (round: number) => Buffer>> = {
  pings: () => repeated(frameOf(OPCODE.ping, Buffer.alloc(125)), 32),
  "empty-pings": () => repeated(frameOf(OPCODE.ping, Buffer.alloc(0)), 512),
  pongs: () => repeated(frameOf(OPCODE.pong, Buffer.alloc(125)), 32),
  "empty-fragments": (round) =>
    round === 0
      ? frameOf(OPCODE.text, Buffer.alloc(0), { isFinal: false })
      : repeated(frameOf(OPCODE.continuation, Buffer.alloc(0), { isFinal: false }), 512),
  "endless-fragments": (round) =>
    frameOf(round === 0 ? OPCODE.text : OPCODE.continuation, Buffer.alloc(1_000, " "), {
      isFinal: false,
    }),
  "pings-between-fragments": (round) =>
    Buffer.concat([
      frameOf(round === 0 ? OPCODE.text : OPCODE.continuation, Buffer.alloc(1), { isFinal: false }),
      frameOf(OPCODE.ping, Buffer.alloc(10)),
    ]),
  "empty-messages": () => repeated(frameOf(OPCODE.text, Buffer.alloc(0)), 256),
  "oversize-frames": () => frameOf(OPCODE.text, Buffer.alloc(70_000, "x")),
  "claimed-lengths": () => frameOf(OPCODE.text, Buffer.alloc(1_000), { claimed: 2n ** 62n }),
  "claimed-64-kilobytes": () => frameOf(OPCODE.text, Buffer.alloc(10), { claimed: 65_535n }),
  "unmasked-frames": () => frameOf(OPCODE.text, Buffer.from('{"ping":{}}'), { isMasked: false }),
  "reserved-bits": () => frameOf(OPCODE.text, Buffer.from('{"ping":{}}'), { reserved: 4 }),
  "reserved-opcodes": () => frameOf(5, Buffer.alloc(10)),
  "long-pings": () => frameOf(OPCODE.ping, Buffer.alloc(60_000)),
  "broken-utf8": () => frameOf(OPCODE.text, Buffer.alloc(1_000, 0xff)),
  "half-a-frame": (round) =>
    frameOf(OPCODE.text, Buffer.alloc(2), { claimed: 1_000n + BigInt(round) }),
};

export const WEBSOCKET_ATTACKS: readonly Attack[] = [
  ...Object.entries(PIECES).map(
    ([name, piece]): Attack => ({
      name: `websocket-${name}`,
      title: `sessions that send ${name.replaceAll("-", " ")} without end`,
      holdsFromSharedAddress: true,
      run: async (load) => await overwhelm(load, name, piece),
    }),
  ),
  {
    name: "websocket-slow-readers",
    title: `${SLOW_READERS} sessions that subscribe, ask without end, and never read`,
    holdsFromSharedAddress: false,
    run: slowReaders,
  },
  {
    name: "websocket-one-48",
    title: "sessions from the many networks of one IPv6 /48, held open",
    holdsFromSharedAddress: false,
    run: sessionsOfOne48,
    bounds: {
      countsMax: [
        {
          matching: /^one \/48: 101$/,
          max: 1_000,
          reason: "one site has a share of the sessions, however many networks it has",
        },
      ],
    },
  },
];

function repeated(frame: Buffer, times: number): Buffer {
  return Buffer.alloc(frame.length * times, frame);
}

async function overwhelm(
  load: Load,
  name: string,
  piece: (round: number) => Buffer,
): Promise<void> {
  const one = async () => {
    const { outcome, socket } = await upgrade({
      gateway: load.doors.gateway,
      localAddress: load.localAddress,
      forwardedFor: strangerAddress(load.random),
    });
    if (outcome !== "101") {
      load.count(`${name}: upgrade ${outcome}`);
      socket.destroy();
      return;
    }
    let bytes = 0;
    for (let round = 0; bytes < BYTES_PER_SESSION_MAX && !load.signal.aborted; round++) {
      const frames = piece(round);
      bytes += frames.length;
      if (!(await write(load, socket, frames))) break;
      await rest(load, 1);
    }
    load.count(`${name}: ${socket.closed ? "closed by the gateway" : "still open"}`);
    socket.destroy();
  };
  // A closed session is replaced.
  await Promise.all(
    Array.from({ length: scaled(load, SESSIONS) }, async () => {
      while (!load.signal.aborted) {
        await one();
        await rest(load, 100);
      }
    }),
  );
}

/** Returns false after the socket has closed. */
async function write(load: Load, socket: Socket, bytes: Buffer): Promise<boolean> {
  if (!socket.writable) return false;
  if (socket.write(bytes)) return true;
  const signal = AbortSignal.any([load.signal, AbortSignal.timeout(1_000)]);
  await Promise.race([
    once(socket, "drain", { signal }).catch(() => undefined),
    once(socket, "close", { signal }).catch(() => undefined),
  ]);
  return socket.writable;
}

async function slowReaders(load: Load): Promise<void> {
  const sockets: Socket[] = [];
  await Promise.all(
    Array.from({ length: scaled(load, SLOW_READERS) }, async (_, index) => {
      await rest(load, index * 4);
      const { outcome, socket } = await upgrade({
        gateway: load.doors.gateway,
        localAddress: load.localAddress,
        forwardedFor: strangerAddress(load.random),
      });
      load.count(`slow reader: upgrade ${outcome}`);
      sockets.push(socket);
      if (outcome !== "101") return;
      socket.write(textFrame({ id: 1, subscribe: { datasource: "demo" } }));
      socket.pause();
      while (!load.signal.aborted && socket.writable) {
        await write(load, socket, textFrame({ id: 2, ping: {} }));
        await rest(load, 50);
      }
    }),
  );
  for (const socket of sockets) socket.destroy();
}

async function sessionsOfOne48(load: Load): Promise<void> {
  const sockets: Socket[] = [];
  await pace(load, SESSIONS_OF_ONE_48, async (round) => {
    const { outcome, socket } = await upgrade({
      gateway: load.doors.gateway,
      localAddress: load.localAddress,
      forwardedFor: `2001:db8:ffff:${(round % 65_536).toString(16)}::1`,
    });
    load.count(`one /48: ${outcome}`);
    if (outcome === "101") sockets.push(socket);
    else socket.destroy();
  });
  for (const socket of sockets) socket.destroy();
}
