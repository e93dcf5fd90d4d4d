import { type ClientIp, derive } from "../../services/runtime/client-ip.ts";
import { HOPS } from "../../tools/edge/edge-policy.ts";
import type { RunnableProxy } from "../../tools/edge/start-proxy.ts";
import { gatewayEngine } from "../fixtures/gateway-engine.ts";
import type { HostileRequest } from "./hostile-requests.ts";
import { KNOWN_DIFFERENCES, type KnownDifference } from "./known-differences.ts";

/** Who connects to the edge: a client, the CDN it trusts, or somebody who pretends to be the CDN. */
export const SITUATIONS = [
  { topology: "direct", trusted: false },
  { topology: "cdn", trusted: true },
  { topology: "cdn", trusted: false },
  { topology: "cdn-append", trusted: true },
  { topology: "cdn-append", trusted: false },
] as const;

export type Situation = (typeof SITUATIONS)[number];

export const FAMILIES = [
  { name: "IPv4", host: "127.0.0.1" },
  { name: "IPv6", host: "::1" },
] as const;

/** From where the edge reaches the services. */
const EDGE = "127.0.0.1";

/** What the rule makes of a request at the services, when the edge is told what it is told. */
export function expectedClient(
  { topology, trusted }: Situation,
  peer: string,
  hostile: HostileRequest,
): ClientIp {
  if (topology === "cdn-append") {
    const lines = trusted ? [...hostile.forwardedLines, peer] : [peer];
    return derive(EDGE, lines, HOPS[topology]);
  }
  const named = trusted ? derive(peer, hostile.forwardedLines, 1).ip : peer;
  return derive(EDGE, [named], HOPS[topology]);
}

export type KnownOutcome =
  | { kind: "refused"; status: number }
  | { kind: "read"; client: ClientIp }
  | undefined;

/** What this proxy, or the real gateway behind it, is known to make of a request instead. */
export function findKnownOutcome(
  request: { proxy: RunnableProxy; situation: Situation; hostile: HostileRequest },
  reader: "recorder" | "auth" | "gateway",
  status: number,
): KnownOutcome {
  const { proxy, situation, hostile } = request;
  const known = KNOWN_DIFFERENCES.find((one) => {
    return one.proxy === proxy && one.request === hostile.id && isFor(one.kind, situation, reader);
  });
  if (known === undefined) return undefined;
  if (known.kind === "refused") return known.status === status ? known : undefined;
  return { kind: "read", client: derive(EDGE, [known.client], 1) };
}

function isFor(kind: KnownDifference["kind"], situation: Situation, reader: string): boolean {
  const { topology, trusted } = situation;
  if (kind === "refused") return true;
  const isTrimmed = reader === "gateway" && gatewayEngine() === "uws";
  return topology === "cdn-append" && trusted && isTrimmed;
}
