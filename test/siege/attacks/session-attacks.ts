import type { Socket } from "node:net";
import type { Attack } from "../attack.ts";
import { createHttpCaller } from "../http-call.ts";
import { type Load, pace, rest, scaled } from "../load.ts";
import { strangerAddress } from "../random.ts";
import { bogusJwt } from "./bogus.ts";
import { textFrame, upgrade } from "./raw-websocket.ts";

const ONE_ADDRESS = "203.0.113.77";
const UPGRADES = { perSecond: 300, inFlightMax: 100 };
/**
 * Sessions that send frames: a few addresses with many sessions each, like browsers behind one
 * network.
 */
const FRAME_SESSIONS = 40;
const FRAMES_EVERY_MS = 20;
const OPEN_MS = 300;

export const SESSION_ATTACKS: readonly Attack[] = [
  {
    name: "upgrades-refused",
    title: "upgrades that break the handshake or a limit, from one address",
    holdsFromSharedAddress: true,
    run: async (load) => {
      await pace(load, UPGRADES, async (round) => {
        const lines = round % 2 === 0 ? {} : { lines: BROKEN[round % BROKEN.length] ?? [] };
        await connectBriefly(load, ONE_ADDRESS, lines);
      });
    },
  },
  {
    name: "upgrades-accepted",
    title: "good upgrades from rotating addresses, closed soon after",
    holdsFromSharedAddress: false,
    run: async (load) => {
      await pace(load, UPGRADES, async () => {
        await connectBriefly(load, strangerAddress(load.random), {});
      });
    },
  },
  frameAttack("subscribes-with-forged-tokens", "subscribes under tokens that nobody signed", {
    frame: (load, id) => {
      const token = bogusJwt(load.random, "datasource+jwt");
      return { id, subscribe: { datasource: "demo-private", token } };
    },
  }),
  frameAttack("subscribes-with-good-tokens", "subscribes and unsubscribes under public tokens", {
    frame: (_load, id, token) =>
      id % 2 === 0
        ? { id, unsubscribe: { datasource: "demo" } }
        : { id, subscribe: { datasource: "demo", token } },
  }),
  frameAttack("subscribes-to-guessed-names", "subscribes to datasources that do not exist", {
    frame: (load, id) => ({ id, subscribe: { datasource: `guess-${load.random.below(1e9)}` } }),
  }),
  frameAttack("refresh-frames", "refreshes of a public subscription, with good and bad tokens", {
    first: (token) => ({ id: 1, subscribe: { datasource: "demo", token } }),
    frame: (load, id, token) => {
      const sent = id % 2 === 0 ? token : bogusJwt(load.random, "datasource+jwt");
      return { id, refresh: { datasource: "demo", token: sent } };
    },
  }),
];

/** Handshakes that are refused, each for a different reason. */
const BROKEN: readonly (readonly string[])[] = [
  ["connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13"],
  ["connection: Upgrade", "upgrade: websocket", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="],
  ["connection: Upgrade", "upgrade: h2c"],
  ["connection: close"],
  [
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "origin: https://evil.example",
  ],
];

async function connectBriefly(
  load: Load,
  forwardedFor: string,
  options: { lines?: readonly string[] },
): Promise<void> {
  const { gateway } = load.doors;
  const { localAddress } = load;
  const { outcome, socket } = await upgrade({ gateway, localAddress, forwardedFor, ...options });
  load.count(`upgrade: ${outcome}`);
  if (outcome === "101") await rest(load, OPEN_MS);
  socket.destroy();
}

function frameAttack(
  name: string,
  title: string,
  frames: {
    first?: (token: string) => object;
    frame: (load: Load, id: number, token: string) => object;
  },
): Attack {
  return {
    name,
    title,
    holdsFromSharedAddress: false,
    run: async (load) => {
      const tokens = await mintPublicTokens(load);
      await Promise.all(
        Array.from({ length: scaled(load, FRAME_SESSIONS) }, async (_, index) => {
          // Four addresses, so that each has several sessions.
          const address = `203.0.113.${100 + (index % 4)}`;
          while (!load.signal.aborted) {
            await sendFrames(load, { address, token: tokens[index % tokens.length] ?? "", frames });
            await rest(load, 1_000);
          }
        }),
      );
    },
  };
}

async function sendFrames(
  load: Load,
  options: {
    address: string;
    token: string;
    frames: Parameters<typeof frameAttack>[2];
  },
): Promise<void> {
  const { address, token, frames } = options;
  const { outcome, socket } = await upgrade({
    gateway: load.doors.gateway,
    localAddress: load.localAddress,
    forwardedFor: address,
  });
  if (outcome !== "101") {
    load.count(`upgrade: ${outcome}`);
    return void socket.destroy();
  }
  countAnswers(load, socket);
  if (frames.first !== undefined) socket.write(textFrame(frames.first(token)));
  for (let id = 2; socket.writable && !load.signal.aborted; id++) {
    socket.write(textFrame(frames.frame(load, id, token)));
    await rest(load, FRAMES_EVERY_MS);
  }
  load.count(socket.writable ? "session: still open" : "session: closed by the gateway");
  socket.destroy();
}

function countAnswers(load: Load, socket: Socket): void {
  socket.on("data", (piece: Buffer) => {
    const text = piece.toString("latin1");
    for (const [, status = ""] of text.matchAll(/"status":(\d+)/g)) load.count(`frame: ${status}`);
    for (const _ of text.matchAll(/"ack":/g)) load.count("frame: ack");
  });
}

/** The number of sessions that a few addresses may have at once. */
async function mintPublicTokens(load: Load): Promise<string[]> {
  const { localAddress, doors } = load;
  const http = createHttpCaller({ localAddress, socketsMax: 4, timeoutMs: 5_000 });
  const tokens: string[] = [];
  for (let index = 0; index < 8 && !load.signal.aborted; index++) {
    const answer = await http
      .call(`${doors.auth}/portcullis.auth.v1.DatasourceService/MintToken`, {
        headers: {
          "content-type": "application/json",
          "x-forwarded-for": strangerAddress(load.random),
        },
        body: '{"datasource":"demo"}',
      })
      .catch(() => undefined);
    const token = /"token":"([^"]+)"/.exec(answer?.text ?? "")?.[1];
    if (token !== undefined) tokens.push(token);
  }
  http.close();
  return tokens;
}
