import { once } from "node:events";
import type { Socket } from "node:net";
import { dial } from "../exchange.ts";
import { type Load, rest, scaled } from "../load.ts";

/** A connection that an attacker keeps open or busy. */
export type Held = {
  socket: Socket;
  /** Whether the service has closed it. */
  isClosed(): boolean;
  /** Writes as fast as the service reads; returns false after a close. */
  write(bytes: string | Uint8Array): Promise<boolean>;
};

/** New connections per second while an attack builds up. */
const DIALS_PER_TICK = 20;
const TICK_MS = 10;
/** How long an attacker waits for the service to read on. */
const DRAIN_TIMEOUT_MS = 2_000;

/**
 * Opens connections, runs a script on each, and holds them until the attack ends. Counts the
 * connections that the service closed first.
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
