import { derive } from "../../../services/runtime/client-ip.ts";
import type { Topology } from "../edge-config.ts";
import { FORWARDED_FOR } from "../presets.ts";
import { type HeaderLine, SPOOFED_V4, SPOOFED_V4_TOO } from "../spoof.ts";
import type { Fault, FaultAt, Observation } from "./finding.ts";
import { describe } from "./judge-identity.ts";
import { type RecordedRequest, valuesOf } from "./recorder.ts";

/** Sends header lines on a route that reaches a service, from a client or from a trusted peer. */
export type Ask = (
  from: "outside" | "inside",
  lines: readonly HeaderLine[],
) => Promise<Observation>;

/** What the file makes of the peers that it trusts. */
export type Measured = { topology: Topology; faults: readonly FaultAt[] };

/** In which header a peer may name the client, beside those that the file reads. */
const NAMING_HEADERS = [
  FORWARDED_FOR,
  ...["X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "Fly-Client-IP", "DO-Connecting-IP"],
];
/** A balancer may write so many entries behind the client's. */
const ENTRIES_MAX = 3;
const EDGE = "127.0.0.1";

/** The client that peers name, and what a client tells them about itself. */
const NAMED = SPOOFED_V4_TOO;
const LIE = SPOOFED_V4;

type Habit = "ignored" | "replaced" | "appended";
type Trust = { habit: Habit; header: string; behind: number; shown: Observation | undefined };

/** Finds by asking which topology a file is made for, and what of it is wrong. */
export async function measureTopology(
  ask: Ask,
  options: { given: Topology | undefined; headers: readonly string[]; hasRanges: boolean },
): Promise<Measured> {
  const trust = await findTrust(ask, "inside", options.headers);
  const anybody = await findTrust(ask, "outside", options.headers);
  const isForAll = trust.habit !== "ignored" && anybody.habit === trust.habit;
  const measured = TOPOLOGY_OF[isForAll && !options.hasRanges ? "ignored" : trust.habit];
  const topology = options.given ?? measured;
  const faults: FaultAt[] = [];
  const report = (observation: Observation | undefined, fault: (saw: string) => Fault) => {
    for (const { upstream, recorded } of observation?.reached ?? []) {
      const saw = describe(FORWARDED_FOR, valuesOf(recorded, FORWARDED_FOR));
      if (observation !== undefined) faults.push({ observation, upstream, fault: fault(saw) });
    }
  };
  // Whoever appends for everybody is judged by what the lists hold.
  const isBelieved = isForAll && options.hasRanges && anybody.habit === "replaced";
  if (isBelieved) report(anybody.shown, trustsEveryone);
  if (measured !== topology && !isForAll) {
    const shown = trust.shown ?? (await ask("inside", naming(FORWARDED_FOR, 0)));
    report(shown, (saw) => mismatch(saw, topology));
  }
  if (trust.habit !== "ignored" && !isForAll && topology !== "direct") {
    for (const { observation, fault } of await askLists(ask, trust)) report(observation, fault);
  }
  return { topology, faults };
}

const TOPOLOGY_OF = { ignored: "direct", replaced: "cdn", appended: "cdn-append" } as const;

function naming(header: string, behind: number, before: readonly string[] = []): HeaderLine[] {
  const others = Array.from({ length: behind }, (_, index) => `192.0.2.${index + 1}`);
  return [[header, [...before, NAMED, ...others].join(", ")]];
}

async function findTrust(
  ask: Ask,
  from: "outside" | "inside",
  headers: readonly string[],
): Promise<Trust> {
  const names = new Set([...NAMING_HEADERS, ...headers].map((name) => name.toLowerCase()));
  for (const header of names) {
    const isList = header === FORWARDED_FOR.toLowerCase();
    for (let behind = 0; behind < (isList ? ENTRIES_MAX : 1); behind += 1) {
      const shown = await ask(from, naming(header, behind));
      const habit = habitOf(shown);
      if (habit !== "ignored") return { habit, header, behind, shown };
    }
  }
  return { habit: "ignored", header: "", behind: 0, shown: undefined };
}

function habitOf({ reached, peer }: Observation): Habit {
  const lines = linesOf(reached[0]?.recorded);
  if (derive(EDGE, lines, 1).ip === NAMED) return "replaced";
  const isExtended = derive(EDGE, lines, 1).ip === peer.address;
  return isExtended && derive(EDGE, lines, 2).ip === NAMED ? "appended" : "ignored";
}

function linesOf(recorded: RecordedRequest | undefined): string[] {
  return recorded === undefined ? [] : valuesOf(recorded, FORWARDED_FOR);
}

type Judged = { observation: Observation; fault: (saw: string) => Fault };

/** Of a list that a trusted peer sends, the peer's own entries count, and nothing to their left. */
async function askLists(ask: Ask, { habit, header, behind }: Trust): Promise<Judged[]> {
  if (header !== FORWARDED_FOR.toLowerCase()) return [];
  const hops = habit === "appended" ? 2 : 1;
  const clientOf = ({ reached }: Observation) =>
    derive(EDGE, linesOf(reached[0]?.recorded), hops).ip;
  const listed = await ask("inside", naming(header, behind, [LIE]));
  const quoted = await ask("inside", naming(header, behind, ['"x', LIE]));
  const stepped = await ask("inside", [[header, `${LIE}, 127.9.0.1`]]);
  return [
    ...(clientOf(listed) === LIE ? [{ observation: listed, fault: leftmost }] : []),
    ...(clientOf(quoted) === NAMED || clientOf(listed) === LIE
      ? []
      : [{ observation: quoted, fault: hidden }]),
    ...(behind === 0 &&
    habit === "replaced" &&
    clientOf(stepped) === LIE &&
    clientOf(listed) !== LIE
      ? [{ observation: stepped, fault: steppedOver }]
      : []),
  ];
}

function trustsEveryone(saw: string): Fault {
  const message = "a client that is none of the trusted peers is believed as if it were one";
  const mend = "trust the addresses of the CDN or balancer alone";
  return { rule: "trusts-everyone", saw, message, mend };
}

function mismatch(saw: string, topology: Topology): Fault {
  const texts = {
    direct: "topology direct has nobody in front, and the file believes a peer about the client",
    cdn: "topology cdn has a CDN in front, and the file does not take the client from its header",
    "cdn-append":
      "topology cdn-append has a CDN in front, and its address is not appended to the header",
  } as const;
  const mend = "render the edge for this topology, or name the one that it is for: --topology";
  return { rule: "topology-mismatch", saw, message: texts[topology], mend };
}

function leftmost(saw: string): Fault {
  const message = "of the list that a trusted peer sends, an entry of the client's own is believed";
  const mend = "count entries from the right: the peer's own are the last";
  return { rule: "passed-through-forwarded-for", saw, message, mend };
}

function hidden(saw: string): Fault {
  const message = "a quote among the client's words hides the entry of the trusted peer";
  return { rule: "quoted-list", saw, message, mend: "cut out the last entry by a pattern" };
}

function steppedOver(saw: string): Fault {
  const message = "an entry of a trusted peer is stepped over, and the client's own is believed";
  return {
    rule: "topology-mismatch",
    saw,
    message,
    mend: "take the last entry: real_ip_recursive off",
  };
}
