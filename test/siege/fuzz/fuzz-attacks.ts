import type { Socket } from "node:net";
import type { Attack } from "../attack.ts";
import { frameOf, upgrade } from "../attacks/raw-websocket.ts";
import { DOOR_NAMES, type DoorName } from "../doors.ts";
import { exchange } from "../exchange.ts";
import { type Load, repeatInputs, rest } from "../load.ts";
import { strangerAddress } from "../random.ts";
import { drawInput } from "./inputs.ts";
import { mutate } from "./mutate.ts";
import { type Seed, seedsOf } from "./seeds.ts";

const AT_ONCE = 24;
/** Longer than a service keeps a half-open connection. */
const ANSWER_TIMEOUT_MS = 8_000;
/** Frames per session, unless it is closed first. */
const FRAMES_PER_SESSION = 40;
const WEBSOCKET_SEEDS: readonly [Buffer, ...Buffer[]] = [
  Buffer.from('{"id":1,"subscribe":{"datasource":"demo"}}'),
  Buffer.from('{"id":2,"subscribe":{"datasource":"demo-private","token":"eyJ.e30.AAAA"}}'),
  Buffer.from('{"id":3,"unsubscribe":{"datasource":"demo"}}'),
  Buffer.from('{"id":4,"refresh":{"datasource":"demo","token":"eyJ.e30.AAAA"}}'),
  Buffer.from('{"id":5,"ping":{}}'),
];

/** Sends random and malformed inputs to one door. */
export const FUZZ_ATTACKS: readonly Attack[] = DOOR_NAMES.map((door) => ({
  name: `fuzz-${door}`,
  title: `random and malformed inputs to the door ${door}`,
  holdsFromSharedAddress: false,
  isCounted: true,
  run: async (load) => {
    const seeds = notEmpty(seedsOf(door), door);
    await repeatInputs(load, AT_ONCE, async (round) => {
      if (load.signal.aborted) return;
      const isFrames = door === "gateway" && round % FRAMES_PER_SESSION === 0;
      if (isFrames) await sendFrames(load, round);
      else if (door !== "gateway" || round % 2 === 0) await sendInput(load, door, seeds, round);
    });
  },
}));

async function sendInput(
  load: Load,
  door: DoorName,
  seeds: readonly [Seed, ...Seed[]],
  round: number,
): Promise<void> {
  const { kind, bytes } = drawInput(seeds, load.random);
  const outcome = await exchange(load.doors[door], bytes, {
    localAddress: neighbour(load.localAddress, round),
    timeoutMs: ANSWER_TIMEOUT_MS,
    isEnded: true,
  });
  // Keeps the input if it should have been refused.
  const detail = outcome === "500" ? ` ${JSON.stringify(excerpt(bytes))}` : "";
  load.count(`${kind}: ${outcome}${detail}`);
}

/** The end of the path and the body are the most informative. */
function excerpt(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  const [first = ""] = text.split("\r\n", 1);
  const type = /content-type: (\S*)/.exec(text)?.[1] ?? "";
  return `${first.split("/").at(-2) ?? ""} ${type}`;
}

/** Half of the inputs to the gateway's public door are frames of sessions. */
async function sendFrames(load: Load, round: number): Promise<void> {
  const { outcome, socket } = await upgrade({
    gateway: load.doors.gateway,
    localAddress: neighbour(load.localAddress, round),
    forwardedFor: strangerAddress(load.random),
  });
  load.count(`upgrade: ${outcome}`);
  if (outcome === "101") await sendMutatedFrames(load, socket);
  socket.destroy();
}

async function sendMutatedFrames(load: Load, socket: Socket): Promise<void> {
  const { random } = load;
  for (let sent = 0; sent < FRAMES_PER_SESSION / 2 && socket.writable; sent++) {
    const payload = random.pick(WEBSOCKET_SEEDS);
    const isInside = random.below(3) > 0;
    const opcode = random.below(4) === 0 ? random.below(16) : 1;
    const frame = isInside
      ? frameOf(opcode, mutate(payload, random))
      : mutate(frameOf(opcode, payload), random);
    socket.write(frame);
    load.count("frame");
    await rest(load, 1);
  }
}

/** Uses many source addresses: one alone runs out of ports. */
function neighbour(localAddress: string, round: number): string {
  return localAddress.replace(/\.0\.\d+$/, `.1.${1 + (round % 250)}`);
}

function notEmpty(seeds: readonly Seed[], door: DoorName): readonly [Seed, ...Seed[]] {
  const [first, ...others] = seeds;
  if (first !== undefined) return [first, ...others];
  // Also sends requests that this door does not serve.
  const [elsewhere, ...more] = DOOR_NAMES.filter((other) => other !== door).flatMap(seedsOf);
  if (elsewhere === undefined) throw new Error("there is nothing to mutate");
  return [elsewhere, ...more];
}
