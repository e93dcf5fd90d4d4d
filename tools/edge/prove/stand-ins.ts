import { findFreePort } from "../../up/free-port.ts";
import { CannotProveError } from "./cannot-prove-error.ts";

/** Connections from here play the peers that a file trusts to name clients. */
export const INSIDE_RANGE = "127.9.0.0/16";

/** Where a file listens, and where it listens while it is proved. */
export type Listener = {
  /** As the file names it, for people. */
  source: string;
  port: number;
  isTls: boolean;
  /** Whether it offers HTTP/2 over TLS. */
  isHttp2: boolean;
  /** Whether each connection must begin with a PROXY line. */
  takesProxyLine: boolean;
  /** The host names that the file answers there. */
  names: Set<string>;
};

export type ListenerTraits = Pick<Listener, "isTls" | "isHttp2" | "takesProxyLine">;

/** What stands in for the addresses of a file: ports of the loopback interface. */
export type StandIns = {
  /** The listener in place of this address; listeners come before upstreams. */
  listener: (address: string, traits: ListenerTraits) => Listener;
  /** `127.0.0.1:port` in place of an upstream, or of the file's own listener where it is one. */
  upstream: (address: string) => string;
  listeners: () => readonly Listener[];
  /** Each upstream that needs a recorder, by its own address. */
  recorded: () => ReadonlyMap<string, number>;
  /** A port where nothing listens. */
  deadPort: number;
};

/** No edge that people write has more addresses; each takes a port of this machine. */
const ADDRESSES_MAX = 96;

/** Reserves ports for a file; they are bound later, when the file has been read. */
export async function createStandIns(): Promise<StandIns> {
  const ports = new Set<number>();
  while (ports.size <= ADDRESSES_MAX) ports.add(await findFreePort());
  const [deadPort = 0, ...pool] = ports;
  const take = () => {
    const port = pool.pop();
    if (port === undefined)
      throw new CannotProveError(`it has more than ${ADDRESSES_MAX} addresses`);
    return port;
  };
  const listeners = new Map<string, Listener>();
  const recorded = new Map<string, number>();
  return {
    listener: (address, traits) => {
      const key = canonicalListener(address);
      const known = listeners.get(key);
      if (known !== undefined) {
        known.isTls ||= traits.isTls;
        known.isHttp2 ||= traits.isHttp2;
        known.takesProxyLine ||= traits.takesProxyLine;
        return known;
      }
      const made = { source: address, port: take(), names: new Set<string>(), ...traits };
      listeners.set(key, made);
      return made;
    },
    upstream: (address) => {
      const own = findOwn(listeners, address);
      if (own !== undefined) return `127.0.0.1:${own.port}`;
      const port = recorded.get(address) ?? take();
      recorded.set(address, port);
      return `127.0.0.1:${port}`;
    },
    listeners: () => [...listeners.values()],
    recorded: () => recorded,
    deadPort,
  };
}

/** All addresses of one port are one listener, unless the file names a certain address. */
function canonicalListener(address: string): string {
  const { host, port } = splitAddress(address);
  return ["", "*", "0.0.0.0", "::", "[::]"].includes(host) ? `*:${port}` : `${host}:${port}`;
}

/** A file that forwards to itself keeps doing so: it has more than one layer. */
function findOwn(listeners: ReadonlyMap<string, Listener>, address: string): Listener | undefined {
  const { host, port } = splitAddress(address);
  const exact = listeners.get(`${host}:${port}`);
  if (exact !== undefined) return exact;
  const isLoopback = host === "localhost" || host === "[::1]" || host.startsWith("127.");
  return isLoopback ? listeners.get(`*:${port}`) : undefined;
}

/** A path or a name of a socket is a host without a port. */
function splitAddress(address: string): { host: string; port: string } {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address) ?? ["", address];
  return { host, port };
}

/**
 * The ranges that take the place of one that a file trusts: a loopback range becomes the one that
 * plays peers inside, since clients of the proof connect over the loopback interface as well.
 */
export function playRange(range: string): string {
  return /^(127\.|::1(\/|$))/.test(range) ? INSIDE_RANGE : range;
}
