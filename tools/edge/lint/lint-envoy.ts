import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type YAMLMap } from "yaml";
import type { Topology } from "../edge-config.ts";
import { REALTIME_PATH } from "../edge-policy.ts";
import type { Finding, Rule } from "./finding.ts";
import { CLAIMS_CLEARED, INTERNAL_PATHS } from "./lint-policy.ts";

/** The limiter decides within 300 ms and callers wait 500 ms; Envoy's own default is 20 ms. */
const RATE_LIMIT_TIMEOUT_MS = { min: 300, max: 500 };

type At = { file: string; lineOf: (node: unknown) => number };

/** Finds the traps of an Envoy configuration, or of a part of one. */
export function lintEnvoy(file: string, text: string, topology: Topology | undefined): Finding[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const lineOf = (node: unknown) => {
    const range = isMap(node) || isSeq(node) || isScalar(node) ? node.range : undefined;
    return range ? lines.linePos(range[0]).line : 1;
  };
  const at = { file, lineOf };
  const findings: Finding[] = [];
  for (const document of documents) {
    for (const error of document.errors) {
      const line = lines.linePos(error.pos[0]).line;
      const message = error.message.split("\n", 1)[0] ?? "";
      findings.push({ file, line, rule: "syntax", message, mend: "correct the YAML" });
    }
    visit(document, {
      Map: (_key, node) => {
        const type = readText(node, "@type");
        if (type.endsWith(".ratelimit.v3.RateLimit")) findings.push(...lintRateLimit(node, at));
        if (type.endsWith(".HttpConnectionManager")) {
          findings.push(...lintConnectionManager(node, at, topology));
        }
      },
    });
  }
  return findings;
}

function readText(map: YAMLMap, field: string): string {
  const value = map.get(field);
  return value === undefined || value === null || isMap(value) || isSeq(value) ? "" : String(value);
}

function report(at: At, node: unknown, rule: Rule, message: string, mend: string): Finding {
  return { file: at.file, line: at.lineOf(node), rule, message, mend };
}

function lintRateLimit(filter: YAMLMap, at: At): Finding[] {
  const findings: Finding[] = [];
  const denies = filter.get("failure_mode_deny", true);
  if (!isScalar(denies) || denies.value !== true) {
    const message = "when the limiter does not answer, Envoy lets the request pass";
    const node = denies ?? filter;
    findings.push(report(at, node, "rate-limit-fails-open", message, "failure_mode_deny: true"));
  }
  const timeoutMs = readDurationMs(readText(filter, "timeout"));
  const isTooShort = timeoutMs === undefined || timeoutMs < RATE_LIMIT_TIMEOUT_MS.min;
  if (isTooShort || timeoutMs > RATE_LIMIT_TIMEOUT_MS.max) {
    const node = filter.get("timeout", true) ?? filter;
    const message =
      timeoutMs === undefined
        ? "without a timeout Envoy waits 20 ms, which a decision that is written down takes longer than"
        : `the limiter answers within ${RATE_LIMIT_TIMEOUT_MS.min} ms, be it that it cannot decide; ${timeoutMs} ms does not fit`;
    findings.push(report(at, node, "rate-limit-timeout", message, "timeout: 0.5s"));
  }
  return findings;
}

function readDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(text);
  return match === null ? undefined : Number(match[1]) * 1_000;
}

function lintConnectionManager(
  manager: YAMLMap,
  at: At,
  topology: Topology | undefined,
): Finding[] {
  const routes = manager.get("route_config");
  return [
    ...lintForwardedFor(manager, at, topology),
    ...(isMap(routes)
      ? [...lintClaims(manager, routes, at), ...lintRoutes(manager, routes, at)]
      : []),
  ];
}

function lintForwardedFor(manager: YAMLMap, at: At, topology: Topology | undefined): Finding[] {
  const usesPeer = readText(manager, "use_remote_address") === "true";
  const skipsAppend = readText(manager, "skip_xff_append") === "true";
  const hops = manager.get("xff_num_trusted_hops", true);
  const findings: Finding[] = [];
  if (isScalar(hops) && Number(hops.value) > 0 && topology === "direct") {
    const message =
      "in topology direct no proxy stands before this one, so a trusted hop is the client's own word";
    findings.push(report(at, hops, "topology-mismatch", message, "remove xff_num_trusted_hops"));
  }
  const written = findHeaderOption(manager, "x-forwarded-for");
  if (written !== undefined) {
    const action = readText(written, "append_action") || readText(written, "append");
    if (action !== "OVERWRITE_IF_EXISTS_OR_ADD" && action !== "false") {
      const message = "without an append_action Envoy appends, behind the client's own list";
      const mend = "append_action: OVERWRITE_IF_EXISTS_OR_ADD";
      findings.push(report(at, written, "appended-forwarded-for", message, mend));
    }
    return findings;
  }
  const mend =
    'request_headers_to_add X-Forwarded-For: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" with append_action: OVERWRITE_IF_EXISTS_OR_ADD';
  if (!usesPeer || skipsAppend) {
    const node = manager.get(usesPeer ? "skip_xff_append" : "use_remote_address", true) ?? manager;
    const message = "the client's X-Forwarded-For gets through as it is";
    findings.push(report(at, node, "passed-through-forwarded-for", message, mend));
  } else if (topology !== "cdn-append") {
    const node = manager.get("use_remote_address", true);
    const message = "Envoy adds the address behind the client's own list";
    findings.push(report(at, node, "appended-forwarded-for", message, mend));
  }
  return findings;
}

/** The entry of request_headers_to_add, at any level, that writes a header. */
function findHeaderOption(manager: YAMLMap, name: string): YAMLMap | undefined {
  let found: YAMLMap | undefined;
  visit(manager, {
    Map: (_key, node) => {
      const header = node.get("header");
      if (isMap(header) && readText(header, "key").toLowerCase() === name) found = node;
    },
  });
  return found;
}

function lintClaims(manager: YAMLMap, routes: YAMLMap, at: At): Finding[] {
  const removed = new Set<string>();
  visit(manager, {
    Pair: (_key, pair) => {
      if (!isScalar(pair.key) || pair.key.value !== "request_headers_to_remove") return;
      if (!isSeq(pair.value)) return;
      for (const item of pair.value.items) {
        if (isScalar(item)) removed.add(String(item.value).toLowerCase());
      }
    },
  });
  const kept = CLAIMS_CLEARED.filter((name) => !removed.has(name.toLowerCase()));
  if (kept.length === 0) return [];
  const message = `${kept.join(", ")} would reach the service as the client sent it`;
  const mend = `request_headers_to_remove: [${kept.join(", ")}]`;
  return [report(at, routes, "claim-header-kept", message, mend)];
}

type Route = { node: YAMLMap; forwards: boolean; matches: (path: string) => boolean };

function lintRoutes(manager: YAMLMap, routeConfig: YAMLMap, at: At): Finding[] {
  const findings: Finding[] = [];
  const hosts = routeConfig.get("virtual_hosts");
  for (const host of isSeq(hosts) ? hosts.items : []) {
    const routes = isMap(host) ? readRoutes(host) : [];
    const firstFor = (path: string) => routes.find((route) => route.matches(path));
    const exposing = new Map<YAMLMap, string[]>();
    for (const path of INTERNAL_PATHS) {
      const route = firstFor(path);
      if (route?.forwards !== true) continue;
      exposing.set(route.node, [...(exposing.get(route.node) ?? []), path]);
    }
    for (const [node, paths] of exposing) {
      const rest =
        paths.length > 1 ? ` and ${paths.length - 1} more that are not for browsers` : "";
      const message = `${paths[0]}${rest} can be reached through this route`;
      const mend = "match only the public routes, each by its own path";
      findings.push(report(at, node, "internal-route-exposed", message, mend));
    }
    const realtime = firstFor(REALTIME_PATH);
    if (realtime?.forwards === true && !upgrades(realtime.node) && !upgrades(manager)) {
      const message = `${REALTIME_PATH} is forwarded here, but Envoy refuses upgrades that it was not told of`;
      const mend = "upgrade_configs: [{ upgrade_type: websocket }] under route";
      findings.push(report(at, realtime.node, "upgrade-missing", message, mend));
    }
  }
  return findings;
}

function upgrades(map: YAMLMap): boolean {
  const action = map.get("route");
  return map.has("upgrade_configs") || (isMap(action) && action.has("upgrade_configs"));
}

function readRoutes(host: YAMLMap): Route[] {
  const routes = host.get("routes");
  const nodes = isSeq(routes) ? routes.items.filter((item) => isMap(item)) : [];
  return nodes.map((node) => {
    return { node, forwards: node.has("route"), matches: (path) => matchesPath(node, path) };
  });
}

function matchesPath(route: YAMLMap, path: string): boolean {
  const match = route.get("match");
  if (!isMap(match)) return false;
  const regex = match.get("safe_regex");
  if (isMap(regex)) return matchesWhole(readText(regex, "regex"), path);
  const exact = readText(match, "path");
  if (exact !== "") return path === exact;
  const prefix = readText(match, "prefix");
  if (prefix !== "") return path.startsWith(prefix);
  const separated = readText(match, "path_separated_prefix");
  return separated !== "" && (path === separated || path.startsWith(`${separated}/`));
}

function matchesWhole(pattern: string, path: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`).test(path);
  } catch {
    return false;
  }
}
