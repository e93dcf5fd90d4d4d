import { parseIpAddress } from "../../services/runtime/ip-address.ts";

/** Whether an edge overwrites the header, resolves the one of its peers, or appends to it. */
export type Topology = "direct" | "cdn" | "cdn-append";

export const TOPOLOGIES: readonly Topology[] = ["direct", "cdn", "cdn-append"];

/** A place to listen at or to forward to. */
export type Endpoint = { host: string; port: number };

/** The peers in front of the edge and the header that they write; no other sender is believed. */
export type Front = {
  peers: readonly string[];
  header: string;
  /** How many entries at the end of the header are theirs; the leftmost of them is the client. */
  entries: number;
};

/** All that the renderers need to know about one deployment. */
export type EdgeConfig = {
  /** Host names that are answered; none means any. */
  domains: readonly string[];
  listen: readonly Endpoint[];
  /** Files with the certificate chain and its key; without them the edge speaks plain HTTP. */
  tls: { certificate: string; key: string } | undefined;
  /** The name of what the deployment has in front; several names can mean one topology. */
  preset: string;
  topology: Topology;
  front: Front;
  upstreams: {
    auth: readonly Endpoint[];
    gateway: readonly Endpoint[];
    console: readonly Endpoint[];
  };
};

/** A bare port listens everywhere, over both families; an endpoint only there. */
export function readListenEndpoints(text: string): readonly Endpoint[] | undefined {
  const port = readPort(text);
  if (port !== undefined) {
    return [
      { host: "0.0.0.0", port },
      { host: "::", port },
    ];
  }
  const endpoint = readEndpoint(text);
  // A name could stand for another address tomorrow; what is bound must be written down.
  return endpoint && parseIpAddress(endpoint.host) ? [endpoint] : undefined;
}

/** Reads `host:port` or `[v6]:port`. */
export function readEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = readPort(match?.[3] ?? "");
  if (host === undefined || port === undefined) return undefined;
  if (host.includes(":") && parseIpAddress(host) === undefined) return undefined;
  return { host, port };
}

function readPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port <= 65_535 ? port : undefined;
}

/** Writes an endpoint as configuration languages and URLs do. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
