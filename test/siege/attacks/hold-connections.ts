import { once } from "node:events";
import type { Socket } from "node:net";
import { dial } from "../exchange.ts";
import { type Load, rest, scaled } from "../load.ts";

/** A connection that an attacker keeps busy, or keeps. */
export type Held = {
  socket: Socket;
  /** Whether the service has ended it. */
  isClosed(): boolean;
  /** Writes as fast as the other side reads; false once it is closed. */
  write(bytes: string | Uint8Array): Promise<boolean>;
};

/** New connections a second while an attack builds up. */
const DIALS_PER_TICK = 20;
const TICK_MS = 10;
/** An attacker waits that long for the other side to read on. */
const DRAIN_TIMEOUT_MS = 2_000;

/**
 * Opens connections, lets a script run on each of them, and holds them for as long as the attack
 * lasts. Counts which of them the service has closed by then.
 */
export async function holdConnections(
  load: Load,
  options: { name: string; url: string; count: number },
  script: (held: Held, index: number) => Promise<void>,
): Promise<void> {
  const { name, url } = options;
  const count = scaled(load, options.count);
  const scripts: Promise<void>[] = [];
  const all: Held[] = [];
  for (let index = 0; index < count && !load.signal.aborted; index++) {
    const held = hold(load, url);
    all.push(held);
    scripts.push(script(held, index));
    if (index % DIALS_PER_TICK === DIALS_PER_TICK - 1) await rest(load, TICK_MS);
  }
  await Promise.all(scripts);
  while (!load.signal.aborted && all.some((held) => !held.isClosed())) await rest(load, TICK_MS);
  for (const held of all) {
    load.count(`${name}: ${held.isClosed() ? "closed by the service" : "still open"}`);
    held.socket.destroy();
  }
}

function hold(load: Load, url: string): Held {
  const socket = dial(url, load.localAddress);
  let isClosed = false;
  socket.once("close", () => {
    isClosed = true;
  });
  socket.on("data", () => undefined);
  return {
    socket,
    isClosed: () => isClosed,
    async write(bytes) {
      if (isClosed || load.signal.aborted || !socket.writable) return false;
      if (socket.write(bytes)) return true;
      const signal = AbortSignal.any([load.signal, AbortSignal.timeout(DRAIN_TIMEOUT_MS)]);
      await Promise.race([
        once(socket, "drain", { signal }).catch(() => undefined),
        once(socket, "close", { signal }).catch(() => undefined),
      ]);
      return !isClosed && !load.signal.aborted;
    },
  };
}
