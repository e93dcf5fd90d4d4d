import { isMap, isScalar, LineCounter, type ParsedNode, parseDocument } from "yaml";
import { parseCidr, parseIpAddress } from "../../services/runtime/ip-address.ts";
import { PRIVATE_PORTS } from "./edge-policy.ts";

/** Who connects to the edge, and so whom it believes. */
export type Topology = "direct" | "cdn" | "cdn-append";

export const TOPOLOGIES: readonly Topology[] = ["direct", "cdn", "cdn-append"];

/** A place to listen at or to forward to. */
export type Endpoint = { host: string; port: number };

/** All that the renderers need to know about one deployment. */
export type EdgeConfig = {
  /** Host names that are answered; none means any. */
  domains: readonly string[];
  listen: readonly Endpoint[];
  /** Files with the certificate chain and its key; without them the edge speaks plain HTTP. */
  tls: { certificate: string; key: string } | undefined;
  topology: Topology;
  cdn: { cidrs: readonly string[]; header: string };
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

/** The header that every CDN appends to; any other holds one address alone. */
export const FORWARDED_FOR = "X-Forwarded-For";

/**
 * Reads the YAML of one edge; every problem is reported, each with its line. A topology given
 * beside the file takes the place of the file's.
 */
export function readEdgeConfig(text: string, topology?: Topology): ConfigReading {
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

function readRoot(root: Fields, override: Topology | undefined, report: Report): EdgeConfig {
  const written = readTopology(root.take("topology"), report);
  const topology = override ?? written;
  const config = {
    domains: readList(root.take("domains"), "domains", readDomain, report),
    listen: readListen(root.take("listen"), report),
    tls: readTls(root.take("tls"), report),
    topology,
    cdn: readCdn(root.take("cdn"), topology, report),
    upstreams: readUpstreams(root.take("upstreams"), report),
  };
  root.done();
  return config;
}

function readTopology(node: ParsedNode | null | undefined, report: Report): Topology {
  const text = node == null ? "direct" : readText(node);
  const topology = TOPOLOGIES.find((known) => known === text);
  if (topology === undefined) report(node, `topology must be one of ${TOPOLOGIES.join(", ")}`);
  return topology ?? "direct";
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

function readCdn(
  node: ParsedNode | null | undefined,
  topology: Topology,
  report: Report,
): EdgeConfig["cdn"] {
  const fields = readMap(node, "cdn", report);
  const cidrs = readList(fields.take("cidrs"), "cdn.cidrs", readCidrText, report);
  const headerNode = fields.take("header");
  const header = headerNode == null ? FORWARDED_FOR : readText(headerNode);
  fields.done();
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(header)) report(headerNode, "cdn.header must be one name");
  if (topology === "cdn-append" && header.toLowerCase() !== FORWARDED_FOR.toLowerCase()) {
    report(headerNode, `topology cdn-append extends ${FORWARDED_FOR}; cdn.header cannot differ`);
  }
  if (topology !== "direct" && cidrs.length === 0) {
    report(node, `topology ${topology} needs cdn.cidrs: the addresses the CDN connects from`);
  }
  return { cidrs, header };
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
