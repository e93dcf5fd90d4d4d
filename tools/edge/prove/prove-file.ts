import type { Topology } from "../edge-config.ts";
import { readDeclaredTopology } from "../lint/lint-file.ts";
import type { HeaderLine } from "../spoof.ts";
import type { RunnableProxy } from "../start-proxy.ts";
import { findPrivatePorts, knockAtPrivate, lieOnRoutes } from "./attack.ts";
import { CannotProveError } from "./cannot-prove-error.ts";
import { type ClientInputs, findClientInputs } from "./client-inputs.ts";
import { ANY_NAME, type Discovered, discover, type Reached } from "./discover.ts";
import { createDoor, createPeers, type Peers } from "./door.ts";
import { groupFaults, type Observation, type ProveFinding } from "./finding.ts";
import { type Ask, type Measured, measureTopology } from "./measure-topology.ts";
import { createObserver, type Entry, type Observe } from "./observe.ts";
import { liesFor } from "./requests.ts";
import { type RunningProof, runStaged } from "./run-staged.ts";
import { INSIDE_RANGE } from "./stand-ins.ts";

/** What was shown of one file. */
export type Proof = {
  file: string;
  proxy: RunnableProxy;
  topology: Topology;
  /** How many requests were sent. */
  requests: number;
  /** What an honest request of each route became. */
  routes: readonly Observation[];
  findings: readonly ProveFinding[];
  notes: readonly string[];
};

export type ProveOptions = {
  proxy: RunnableProxy;
  file: string;
  text: string;
  topology: Topology | undefined;
  /** Addresses at which services of ours are, beside those that show themselves. */
  upstreams: readonly string[];
};

/** More ways in than this are not tried. */
const ENTRIES_MAX = 12;
/** What edges answer to clients that ask too often. */
const LIMITED = [429, 503];

/** Runs the proxy with the file in front of recorders, and tells what reached which of them. */
export async function proveFile(options: ProveOptions): Promise<Proof> {
  const running = await runStaged(options.proxy, options.file, options.text);
  const entries = running.listeners.flatMap((listener) => {
    return [ANY_NAME, ...listener.names].map((host) => {
      return { listener, host, door: createDoor(listener, host) };
    });
  });
  try {
    return await prove(options, running, entries);
  } finally {
    for (const { door } of entries) door.close();
    await running.stop();
  }
}

async function prove(
  { proxy, file, text, topology, upstreams: named }: ProveOptions,
  running: RunningProof,
  all: readonly Entry[],
): Promise<Proof> {
  const { staged, upstreams } = running;
  const peers = await createPeers();
  const log: Observation[] = [];
  const observe = createObserver(running, peers, log);
  const tried = all.slice(0, ENTRIES_MAX);
  const discovered = await discover(tried, observe, { upstreams, named });
  const { ours, routes } = discovered;
  if (log.every(({ reached }) => reached.length === 0)) {
    throw new CannotProveError("no request reached an upstream of it");
  }
  const inputs = findClientInputs(staged.text);
  const given = topology ?? readDeclaredTopology(text);
  const hasRanges = staged.text.includes(INSIDE_RANGE.split("/")[0] ?? "");
  const measured = await measure(routes, observe, peers, { given, inputs, hasRanges });
  const faults = [
    ...measured.faults,
    ...(await lieOnRoutes(discovered, observe, liesFor(inputs))),
    ...(ours.isAnyKnown ? await knockAtPrivate(discovered, observe, staged.samples, inputs) : []),
    ...findPrivatePorts(log, ours),
  ];
  const unasked = all.length - tried.length;
  return {
    ...{ file, proxy, topology: measured.topology },
    requests: log.length,
    routes: routes.map(({ honest }) => honest),
    findings: groupFaults(faults),
    notes: [
      ...staged.notes,
      ...(unasked > 0 ? [`${unasked} more names and listeners were not tried`] : []),
      ...notesOn(log, discovered, peers),
    ],
  };
}

async function measure(
  routes: readonly Reached[],
  observe: Observe,
  peers: Peers,
  options: { given: Topology | undefined; inputs: ClientInputs; hasRanges: boolean },
): Promise<Measured> {
  const { given, inputs, hasRanges } = options;
  const [first] = routes;
  if (first === undefined || peers.inside() === undefined) {
    return { topology: given ?? "direct", faults: [] };
  }
  const ask: Ask = async (from, headers: readonly HeaderLine[]) => {
    const peer = from === "inside" ? peers.inside() : peers.outside();
    return await observe(first.entry, first.route, { id: from, headers }, { peer });
  };
  return await measureTopology(ask, { given, headers: inputs.headers, hasRanges });
}

function notesOn(
  log: readonly Observation[],
  { ours, routes }: Discovered,
  peers: Peers,
): string[] {
  const isTurnedAway = ({ status, reached }: Observation) => {
    return LIMITED.includes(status) && reached.length === 0;
  };
  const limited = log.filter(isTurnedAway).length;
  return [
    ...(ours.isAnyKnown ? [] : [NONE_OF_OURS]),
    ...(routes.length === 0 ? ["no route of Portcullis reached its services"] : []),
    ...(limited > 0 ? [`${limited} requests were turned away (429 or 503), and show nothing`] : []),
    ...(peers.inside() === undefined
      ? ["this machine has one loopback address, so trusted peers were not played"]
      : []),
  ];
}

const NONE_OF_OURS =
  "the routes of Portcullis are not in this file, so identity headers alone were judged; --upstream HOST:PORT names its services";
