import { isMap, isScalar, LineCounter, type ParsedNode, parseDocument } from "yaml";
import { HOPS_MAX } from "../../services/runtime/client-ip.ts";
import { parseCidr, parseIpAddress } from "../../services/runtime/ip-address.ts";
import { PRIVATE_PORTS } from "./edge-policy.ts";
import { DIRECT, FORWARDED_FOR, findPreset, PRESET_NAMES, type Preset } from "./presets.ts";

/** What an edge does with who connects: overwrite, resolve what peers name, or append for them. */
export type Topology = "direct" | "cdn" | "cdn-append";

export const TOPOLOGIES: readonly Topology[] = ["direct", "cdn", "cdn-append"];

/** A place to listen at or to forward to. */
export type Endpoint = { host: string; port: number };

/** Who stands in front of the edge and what they write: nobody else's word is believed. */
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

/** What is wrong with a configuration, and on which line of its file. */
export type ConfigProblem = { line: number; text: string };

export type ConfigReading =
  | { kind: "valid"; config: EdgeConfig }
  | { kind: "invalid"; problems: readonly ConfigProblem[] };

/**
 * Reads the YAML of one edge; every problem is reported, each with its line. The name of a topology
 * given beside the file takes the place of the file's.
 */
export function readEdgeConfig(text: string, topology?: string): ConfigReading {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const problems: ConfigProblem[] = document.errors.map((error) => {
    return { line: lines.linePos(error.pos[0]).line, text: error.message.split("\n", 1)[0] ?? "" };
  });
  const report: Report = (node, problem) => {
    problems.push({ line: node?.range ? lines.linePos(node.range[0]).line : 1, text: problem });
  };
  const root = readMap(document.contents, "the file", report);
  const config = readRoot(root, topology, report);
  if (problems.length > 0) return { kind: "invalid", problems };
  return { kind: "valid", config };
}

type Report = (node: ParsedNode | null | undefined, problem: string) => void;
type Fields = { take: (name: string) => ParsedNode | null | undefined; done: () => void };

function readRoot(root: Fields, override: string | undefined, report: Report): EdgeConfig {
  const preset = readPreset(root.take("topology"), override, report);
  const config = {
    domains: readList(root.take("domains"), "domains", readDomain, report),
    listen: readListen(root.take("listen"), report),
    tls: readTls(root.take("tls"), report),
    preset: preset.name,
    topology: preset.topology,
    front: readFront(root, preset, report),
    upstreams: readUpstreams(root.take("upstreams"), report),
  };
  root.done();
  return config;
}

function readPreset(
  node: ParsedNode | null | undefined,
  override: string | undefined,
  report: Report,
): Preset {
  const written = findPreset(node == null ? "direct" : readText(node));
  if (written === undefined) report(node, `topology must be one of ${PRESET_NAMES.join(", ")}`);
  const preset = override === undefined ? written : findPreset(override);
  return preset ?? DIRECT;
}

function readListen(node: ParsedNode | null | undefined, report: Report): readonly Endpoint[] {
  const found = readList(node, "listen", readListenEndpoints, report).flat();
  return found.length > 0 ? found : (readListenEndpoints("8080") ?? []);
}

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

function readTls(node: ParsedNode | null | undefined, report: Report): EdgeConfig["tls"] {
  if (node == null) return undefined;
  const fields = readMap(node, "tls", report);
  const certificate = readFile(fields.take("certificate"), "tls.certificate", node, report);
  const key = readFile(fields.take("key"), "tls.key", node, report);
  fields.done();
  return { certificate, key };
}

/** Only plain characters: the path is written into four configuration languages. */
function readFile(
  node: ParsedNode | null | undefined,
  name: string,
  parent: ParsedNode,
  report: Report,
): string {
  const text = node == null ? "" : readText(node);
  if (/^\/[\w./-]+$/.test(text)) return text;
  report(node ?? parent, `${name} must be the absolute path of a file, of plain characters`);
  return "";
}

/** The peers, their header and its entries; `cdn.cidrs`, `cdn.header`, `cdn.entries` say the same. */
function readFront(root: Fields, preset: Preset, report: Report): Front {
  const cdnNode = root.take("cdn");
  const cdn = readMap(cdnNode, "cdn", report);
  const take = (name: string, inCdn: string) => {
    const here = root.take(name);
    const there = cdn.take(inCdn);
    if (here !== undefined && there !== undefined) {
      report(there, `${name} and cdn.${inCdn} say the same thing twice; keep ${name}`);
    }
    return here === undefined ? { node: there, name: `cdn.${inCdn}` } : { node: here, name };
  };
  const ranges = take("peers", "cidrs");
  const peers = readList(ranges.node, ranges.name, readCidrText, report);
  const header = readHeader(take("header", "header"), preset, report);
  const entries = readEntries(take("entries", "entries").node, preset, report);
  cdn.done();
  if (preset.topology !== "direct" && peers.length === 0) {
    const field = preset.name.startsWith("cdn") ? "cdn.cidrs" : "peers";
    report(ranges.node ?? cdnNode, `topology ${preset.name} needs ${field}: ${preset.peers}`);
  }
  return { peers, header, entries };
}

function readHeader(
  { node, name }: { node: ParsedNode | null | undefined; name: string },
  preset: Preset,
  report: Report,
): string {
  if (node == null) return preset.header;
  const header = readText(node);
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(header)) report(node, `${name} must be one name`);
  const isList = header.toLowerCase() === FORWARDED_FOR.toLowerCase();
  if (preset.topology === "cdn-append" && !isList) {
    report(node, `topology cdn-append extends ${FORWARDED_FOR}; ${name} cannot differ`);
  }
  return isList ? FORWARDED_FOR : header;
}

function readEntries(
  node: ParsedNode | null | undefined,
  { topology, entries: known }: Preset,
  report: Report,
): number {
  if (node == null) return known;
  const text = readText(node);
  const entries = /^[1-9]$/.test(text) ? Number(text) : 0;
  if (entries < 1 || entries > HOPS_MAX) report(node, `entries must be 1 to ${HOPS_MAX}`);
  if (topology === "cdn-append" && entries > 1) {
    report(node, "topology cdn-append counts one entry; choose cdn to resolve more");
  }
  return Math.max(entries, 1);
}

function readCidrText(text: string): string | undefined {
  const cidr = parseCidr(text);
  // A range that holds every address would believe every client.
  return cidr === undefined || cidr.prefixBits === 0 ? undefined : text;
}

function readUpstreams(
  node: ParsedNode | null | undefined,
  report: Report,
): EdgeConfig["upstreams"] {
  const fields = readMap(node, "upstreams", report);
  const read = (name: string, fallback: readonly Endpoint[]) => {
    const found = readList(fields.take(name), `upstreams.${name}`, readEndpoint, report);
    return found.length > 0 ? found : fallback;
  };
  const readPublic = (name: "auth" | "gateway", port: number) => {
    const found = read(name, [{ host: "127.0.0.1", port }]);
    for (const [variable, own] of Object.entries(PRIVATE_PORTS)) {
      if (!found.some((endpoint) => endpoint.port === own)) continue;
      report(node, `upstreams.${name}: ${own} is ${variable}, where no browser is answered`);
    }
    return found;
  };
  const upstreams = {
    auth: readPublic("auth", 4001),
    gateway: readPublic("gateway", 8001),
    console: read("console", []),
  };
  fields.done();
  return upstreams;
}

function readDomain(text: string): string | undefined {
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text) ? text : undefined;
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

function readMap(node: ParsedNode | null | undefined, name: string, report: Report): Fields {
  if (node != null && !isMap(node)) report(node, `${name} must be a map of fields`);
  const items = isMap<ParsedNode, ParsedNode | null>(node) ? node.items : [];
  const rest = new Map(items.map((item) => [readText(item.key), item]));
  return {
    take: (field) => {
      const item = rest.get(field);
      rest.delete(field);
      return item?.value;
    },
    done: () => {
      for (const [field, item] of rest) report(item.key, `${name} has no field "${field}"`);
    },
  };
}

/** Reads one value or a list of them. */
function readList<Value>(
  node: ParsedNode | null | undefined,
  name: string,
  read: (text: string) => Value | undefined,
  report: Report,
): Value[] {
  if (node == null) return [];
  const items = "items" in node && !isMap(node) ? node.items : [node];
  return items.flatMap((item) => {
    const text = isScalar(item) ? readText(item) : "";
    const value = read(text);
    if (value !== undefined) return [value];
    report(isScalar(item) ? item : node, `${name}: "${text}" is not valid here`);
    return [];
  });
}

function readText(node: unknown): string {
  return isScalar(node) && node.value !== null ? String(node.value) : "";
}

/** Writes an endpoint as configuration languages and URLs do. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
