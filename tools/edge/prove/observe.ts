import type { Door, Peer, Peers } from "./door.ts";
import type { Observation } from "./finding.ts";
import { valuesOf } from "./recorder.ts";
import { type Lie, type ProveRoute, requestOf } from "./requests.ts";
import type { RunningProof } from "./run-staged.ts";
import type { Listener } from "./stand-ins.ts";

/** A way into the proxy: a listener, asked under one host name. */
export type Entry = { listener: Listener; host: string; door: Door };

/** Sends one lie on one route, and tells what became of it. */
export type Observe = (
  entry: Entry,
  route: ProveRoute,
  lie: Lie,
  how?: { peer?: Peer | undefined; protocol?: "h2"; claimed?: string },
) => Promise<Observation>;

/** Numbers requests; an edge that forwards none of the client's headers takes it away. */
const NUMBER_HEADER = "X-Portcullis-Prove";

/** No line of a terminal needs more of a long header. */
const HEADER_TEXT_MAX = 80;

/**
 * Sends one request after the other: what upstreams record in between belongs to it. A request that
 * arrives late carries another number, and is left out.
 */
export function createObserver(running: RunningProof, peers: Peers, log: Observation[]): Observe {
  return async (entry, route, lie, { peer = peers.outside(), protocol, claimed } = {}) => {
    const { listener, host, door } = entry;
    const number = String(log.length);
    const headers = [...lie.headers, [NUMBER_HEADER, number] as const];
    const request = requestOf(route, host, { ...lie, headers });
    running.take();
    const status =
      protocol === "h2"
        ? await door.sendHttp2(peer, request)
        : await door.send(peer, request, claimed);
    const reached = running.take().filter(({ recorded }) => {
      return valuesOf(recorded, NUMBER_HEADER).every((value) => value === number);
    });
    const upgrade = route.isUpgrade ? " (upgrade)" : "";
    const observation = {
      ...{ listener: listener.source, host, peer, status, reached },
      route: `${request.method} ${request.target}${upgrade}${protocol === "h2" ? " over HTTP/2" : ""}`,
      request: describeLie(lie),
    };
    log.push(observation);
    return observation;
  };
}

function describeLie({ id, headers, body }: Lie): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}`.slice(0, HEADER_TEXT_MAX));
  return lines.length === 0 ? `${id}${body === undefined ? "" : ` ${body}`}` : lines.join(" | ");
}
