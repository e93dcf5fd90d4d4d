import type { YAMLMap } from "yaml";
import type { HeaderContent } from "../header-content.ts";
import type { EnvoyManager } from "./manager.ts";
import { readMap, readMaps, readText, readTexts } from "./yaml.ts";

/** Each possible content, with the entry that made it. */
export type Contents = ReadonlyMap<HeaderContent, YAMLMap | undefined>;

/** Follows a header through what a route, its host and the whole configuration do to it. */
export function followHeader(
  name: string,
  manager: EnvoyManager,
  levels: readonly YAMLMap[],
): Contents {
  const header = name.toLowerCase();
  let contents: Contents = new Map([[arrives(header, manager), undefined]]);
  for (const level of levels) {
    // Envoy removes before it adds.
    const removed = readTexts(level, "request_headers_to_remove");
    if (removed.some((one) => one.toLowerCase() === header)) contents = new Map([["none", level]]);
    for (const entry of readMaps(level, "request_headers_to_add")) {
      const option = readMap(entry, "header");
      if (option === undefined || readText(option, "key").toLowerCase() !== header) continue;
      const kind = readValue(readText(option, "value") || readText(option, "raw_value"), manager);
      contents = add(contents, kind, entry);
    }
  }
  return contents;
}

/** What the connection manager makes of a header before any route sees it. */
function arrives(header: string, manager: EnvoyManager): HeaderContent {
  if (header === "x-forwarded-for") {
    const isKept = !manager.usesPeer || readText(manager.node, "skip_xff_append") === "true";
    return isKept ? "client" : "appended";
  }
  const isScheme = header === "x-forwarded-proto";
  return isScheme && manager.usesPeer && manager.trustedHops === 0 ? "constant" : "client";
}

/** How an entry that names no action, or the older `append`, is added. */
function readAction(entry: YAMLMap): string {
  const older = { true: "APPEND_IF_EXISTS_OR_ADD", false: "OVERWRITE_IF_EXISTS_OR_ADD" } as const;
  const append = readText(entry, "append");
  const action = readText(entry, "append_action");
  if (action !== "") return action;
  return append === "false" ? older.false : older.true;
}

function add(before: Contents, kind: HeaderContent, entry: YAMLMap): Contents {
  switch (readAction(entry)) {
    case "OVERWRITE_IF_EXISTS_OR_ADD":
      return new Map([[kind, entry]]);
    case "OVERWRITE_IF_EXISTS":
      return new Map([
        ["none", entry],
        [kind, entry],
      ]);
    case "ADD_IF_ABSENT":
      return new Map([...[...before].filter(([one]) => one !== "none"), [kind, entry]]);
    default:
      return new Map([...before.keys()].map((one) => [behind(one, kind), entry]));
  }
}

function behind(before: HeaderContent, kind: HeaderContent): HeaderContent {
  if (before === "none") return kind;
  return before === "peer" && kind === "peer" ? "repeated" : "appended";
}

/** Substitutions that a client has no say in. */
const OWN =
  /^(DOWNSTREAM_(LOCAL|DIRECT_LOCAL)_\w+|UPSTREAM_\w+|HOSTNAME|START_TIME|ENVIRONMENT|PROTOCOL|CONNECTION_ID|STREAM_ID|UNIQUE_ID|ROUTE_NAME|VIRTUAL_CLUSTER_NAME)$/;

/** Substitutions that a client fills as it likes. */
const CLIENTS =
  /^(REQUEST_HEADER|PATH|QUERY_PARAM\w*|GRPC_\w+|REQUESTED_SERVER_NAME|DOWNSTREAM_PEER_\w+|TLS_JA\w+)$/;

function readValue(value: string, manager: EnvoyManager): HeaderContent {
  const substitutions = [...value.replaceAll("%%", "").matchAll(/%(\w+)(\(.*?\))?(:\d+)?%/g)];
  const kinds = substitutions.map(([, command = "", argument = ""]): HeaderContent => {
    if (/^DOWNSTREAM_DIRECT_REMOTE_ADDRESS(_WITHOUT_PORT)?$/.test(command)) return "peer";
    if (/^DOWNSTREAM_REMOTE_ADDRESS(_WITHOUT_PORT)?$/.test(command)) return resolved(manager);
    const isCut = manager.cutEntries.includes(argument.slice(1, -1));
    if (command === "DYNAMIC_METADATA" && isCut) return "named";
    if (command === "REQ") return readsList(argument) ? "claimed" : "named";
    if (OWN.test(command)) return "constant";
    return CLIENTS.test(command) ? "claimed" : "unknown";
  });
  const [first] = kinds;
  if (first === undefined) return value.replaceAll("%%", "").includes("%") ? "claimed" : "constant";
  if (substitutions[0]?.[0] === value.trim()) return first;
  if (kinds.includes("unknown")) return "unknown";
  const isClients = kinds.some((kind) => kind === "named" || kind === "claimed");
  if (isClients) return kinds.includes("peer") ? "appended" : "claimed";
  return kinds.filter((kind) => kind === "peer").length > 1 ? "repeated" : "constant";
}

/** Whether "(X-FOO?X-FORWARDED-FOR):64" names the list, of which all is taken. */
function readsList(argument: string): boolean {
  return argument.toLowerCase().includes("x-forwarded-for");
}

/** The address that Envoy takes for the client's. */
function resolved({ hasDetection, usesPeer, trustedHops }: EnvoyManager): HeaderContent {
  if (usesPeer && trustedHops === 0) return "peer";
  if (hasDetection) return trustedHops === 0 ? "named" : "claimed";
  // The list's last entry; those further left are the client's own words. Where Envoy does not
  // put the peer at its end, hops are counted from one further left.
  return trustedHops === (usesPeer ? 1 : 0) ? "named" : "claimed";
}
