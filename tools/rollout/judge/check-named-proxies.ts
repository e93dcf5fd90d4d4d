import {
  type Cidr,
  cidrContains,
  parseCidr,
  parseIpAddress,
} from "../../../services/runtime/ip-address.ts";
import { askIdentity } from "../../edge/probe/ask-identity.ts";
import { doubtful, failed, passed, warned } from "../../edge/probe/check.ts";
import {
  type Deployment,
  PUBLIC_SERVICES,
  type PublicServiceName,
} from "../../edge/probe/deployment.ts";
import { PROBE_ROUTES } from "../../edge/probe/public-route.ts";
import { sendProbe } from "../../edge/probe/send-probe.ts";
import { SPOOFED_V4 } from "../../edge/spoof.ts";
import type { Check } from "../terms/verdict.ts";
import type { ServiceFacts } from "./gather-facts.ts";

const VARIABLE = "TRUSTED_PROXY_CIDRS";
/** Several probes, since an edge of several machines has several addresses. */
const PROBES = 3;
/** As many entries as there can be hops, so that any number of hops derives a spoofed one. */
const CLAIM = Array.from({ length: 8 }, () => SPOOFED_V4).join(", ");

/** Whether the services name the proxies that they trust, and whether the edge is among them. */
export async function checkNamedProxies(
  deployment: Deployment,
  facts: readonly ServiceFacts[],
): Promise<Check> {
  const seen = await Promise.all(
    PUBLIC_SERVICES.map(async (name): Promise<SeenProxies> => {
      const service = facts.find((fact) => fact.name === name);
      const text = service?.file?.[VARIABLE];
      const isNamed = service?.file === undefined ? undefined : (text?.trim() ?? "") !== "";
      return {
        name,
        hops: service?.hops,
        cidrs: (text ?? "").split(",").flatMap((cidr) => parseCidr(cidr.trim()) ?? []),
        isNamed: isNamed ?? (await refusesUs(deployment, name)),
        peers: await findPeers(deployment, name),
      };
    }),
  );
  return judgeNamedProxies(seen);
}

/** What is known about the proxies in front of one service. */
export type SeenProxies = {
  name: PublicServiceName;
  hops: number | undefined;
  /** Whether the service trusts named peers only; undefined if unknown. */
  isNamed: boolean | undefined;
  /** The named ranges, if an environment file holds them. */
  cidrs: readonly Cidr[];
  /** The peer addresses from which requests through the edge arrived. */
  peers: readonly string[];
};

export function judgeNamedProxies(seen: readonly SeenProxies[]): Check {
  const subject = {
    id: "proxies.named",
    title: `Peers whose X-Forwarded-For is believed (${VARIABLE})`,
    why: "with hops alone whoever reaches the port chooses which client he is",
  };
  if (seen.some(({ hops }) => hops === undefined)) {
    return doubtful(subject, "the hops are unknown", "give the environment files");
  }
  const trusting = seen.filter(({ hops }) => hops !== 0);
  if (trusting.length === 0) return passed(subject, "none: no service trusts a proxy yet");
  const strange = trusting.filter(({ cidrs, peers }) => {
    return cidrs.length > 0 && peers.some((peer) => !isIn(cidrs, peer));
  });
  const addresses = describePeers(trusting);
  if (strange.length > 0) {
    const names = strange.map(({ name }) => name).join(" and ");
    const observed = `${names} would not believe the edge; it comes from ${addresses}`;
    return failed(subject, observed, `add to ${VARIABLE}: ${toCidrs(strange)}`);
  }
  if (trusting.some(({ peers }) => peers.length === 0)) {
    return doubtful(subject, "from where the edge comes is unknown", "see that the edge forwards");
  }
  const unnamed = trusting.filter(({ isNamed }) => isNamed !== true);
  if (unnamed.length === 0) return passed(subject, `named ones; the edge comes from ${addresses}`);
  const names = unnamed.map(({ name }) => name).join(" and ");
  const observed = `${names} would believe any peer; the edge comes from ${addresses}`;
  const mend = `set ${VARIABLE}=${toCidrs(unnamed)} (every address that your proxies come from)`;
  return warned(subject, observed, mend);
}

function describePeers(seen: readonly SeenProxies[]): string {
  return [...new Set(seen.flatMap(({ peers }) => peers))].join(", ") || "an unknown address";
}

function toCidrs(seen: readonly SeenProxies[]): string {
  const peers = [...new Set(seen.flatMap((service) => service.peers))];
  return peers.map((peer) => `${peer}/${peer.includes(":") ? 128 : 32}`).join(",");
}

function isIn(cidrs: readonly Cidr[], text: string): boolean {
  const address = parseIpAddress(text);
  return address !== undefined && cidrs.some((cidr) => cidrContains(cidr, address));
}

/** With 0 hops the derived address is the socket's, which belongs to the last proxy. */
async function findPeers(deployment: Deployment, name: PublicServiceName): Promise<string[]> {
  const peers = new Set<string>();
  for (let probe = 0; probe < PROBES; probe++) {
    const result = await sendProbe(deployment, PROBE_ROUTES[name], []);
    const peer = result.kind === "identity" ? result.byHops[0] : undefined;
    if (peer) peers.add(peer);
  }
  return [...peers];
}

/** We are no proxy: a service that rejects our header names its proxies. Undefined if unknown. */
async function refusesUs(
  deployment: Deployment,
  name: PublicServiceName,
): Promise<boolean | undefined> {
  const answer = await askIdentity(deployment, name, { headers: [["X-Forwarded-For", CLAIM]] });
  return answer.kind === "identity" ? answer.warning === "untrusted_peer" : undefined;
}
