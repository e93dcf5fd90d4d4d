import {
  type Document,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  parseAllDocuments,
  visit,
  type YAMLMap,
} from "yaml";
import type { Topology } from "../../edge-config.ts";
import type { Finding } from "../finding.ts";
import { describeTopology } from "../lint-policy.ts";
import { type Linted, type LintOptions, NONE_OF_OURS } from "../linted.ts";
import type { OurUpstreams } from "../our-upstreams.ts";
import { lintEnvoyPorts } from "../private-port-rules.ts";
import { type EnvoyCluster, readClusters } from "./clusters.ts";
import { lintForwardedFor, lintOtherHeaders, lintTrust } from "./identity-rules.ts";
import { type EnvoyManager, readEnvoyManager } from "./manager.ts";
import { lintRateLimit } from "./rate-limit-rules.ts";
import { lintRoutes } from "./route-rules.ts";
import { type EnvoyRoute, readHosts } from "./routes.ts";
import { addressesOf, readOurUpstreams } from "./upstreams.ts";
import { createReport, type Report, readMap, readMaps, readText } from "./yaml.ts";

/** Extensions that change headers or paths by rules of their own. */
const SCRIPTS =
  /\.(Lua|LuaPerRoute|Wasm|ExternalProcessor|ExtProcPerRoute|HeaderMutation|HeaderMutationPerRoute|ConfigsPerRoute|DynamicModuleFilter)$|\.golang\./;

const MANAGER_TYPE =
  '"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

const CHECK = "write it in a way that can be followed, or check by hand what it does";

/** Finds the traps of an Envoy configuration, or of a part of one. */
export function lintEnvoy(file: string, text: string, options: LintOptions): Linted {
  const { topology } = options;
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const report = createReport(file, lines);
  const findings: Finding[] = [];
  const managers: EnvoyManager[] = [];
  const clusters = documents.flatMap(readClusters);
  let filters = 0;
  for (const document of documents) {
    for (const error of document.errors) {
      const line = lines.linePos(error.pos[0]).line;
      const message = error.message.split("\n", 1)[0] ?? "";
      findings.push({ file, line, rule: "syntax", message, mend: "correct the YAML" });
    }
    resolveAliases(document);
    visit(document, {
      Pair: (_key, pair) => {
        if (!isScalar(pair.key) || pair.key.value !== "<<") return;
        const message = "what is merged in here is not looked at";
        findings.push(report(pair.key, "not-followed", message, "write the fields themselves"));
      },
      Map: (_key, node, path) => {
        const type = readText(node, "@type");
        if (type.endsWith(".ratelimit.v3.RateLimit")) {
          findings.push(...lintRateLimit(node, report));
          filters += 1;
        }
        if (SCRIPTS.test(type)) {
          const message = "this may change headers and paths by rules that are not looked at";
          findings.push(report(node, "not-followed", message, CHECK));
        }
        if (type === "" && node.has("http_filters") && node.has("stat_prefix")) {
          const message = "without an @type this connection manager is not read, and not judged";
          findings.push(report(node, "not-followed", message, MANAGER_TYPE));
        }
        if (!type.endsWith(".HttpConnectionManager")) return;
        const around = path.flatMap((one) => (isMap(one) && !isPair(one) ? [one] : []));
        managers.push(readEnvoyManager(node, around));
      },
    });
  }
  const ours = readOurUpstreams(managers, clusters, options.upstreams);
  const context = { topology, report, clusters, ours };
  findings.push(...managers.flatMap((manager) => lintManager(manager, context)));
  findings.push(...lintMissingCdn(managers, topology, report));
  const at = (offset: number) => ({ file, line: lines.linePos(offset).line });
  findings.push(...lintEnvoyPorts(clusters, ours, at));
  return {
    findings: withoutRepeats(findings),
    topology,
    read: managers.length + filters > 0 ? "all" : "nothing",
    notes: managers.length > 0 && !ours.isAnyKnown ? [NONE_OF_OURS] : [],
  };
}

type EnvoyContext = {
  topology: Topology | undefined;
  report: Report;
  clusters: readonly EnvoyCluster[];
  ours: OurUpstreams;
};

/** Puts what an alias stands for into its place. */
function resolveAliases(document: Document.Parsed): void {
  visit(document, { Alias: (_key, alias) => alias.resolve(document) });
}

function lintManager(manager: EnvoyManager, context: EnvoyContext): Finding[] {
  const { topology, report, clusters, ours } = context;
  const { node } = manager;
  const routeConfig = readMap(node, "route_config");
  const isOurs = (route: EnvoyRoute) => ours.isAmong(addressesOf(route, clusters));
  return [
    ...lintTrust(manager, topology, report),
    ...lintUnread(node, routeConfig, report),
    ...(routeConfig === undefined
      ? []
      : readHosts(routeConfig).flatMap((routes) => [
          ...routes
            .filter((route) => route.forwards && (!ours.isAnyKnown || isOurs(route)))
            .flatMap(({ levels }) => levels)
            .flatMap((levels) => [
              ...lintForwardedFor(manager, levels, topology, report),
              ...(ours.isAnyKnown ? lintOtherHeaders(manager, levels, routeConfig, report) : []),
            ]),
          ...(ours.isAnyKnown ? lintRoutes(manager, routes, isOurs, report) : []),
        ])),
  ];
}

/** Routes and rules that are not in this file, or of a kind that is not looked at. */
function lintUnread(node: YAMLMap, routeConfig: YAMLMap | undefined, report: Report): Finding[] {
  const elsewhere = ["rds", "scoped_routes", "early_header_mutation_extensions"].filter((field) => {
    return node.has(field);
  });
  const hosts = readMaps(routeConfig, "virtual_hosts").filter((host) => host.has("matcher"));
  const reasons = [
    ...elsewhere.map((field) => node.get(field, true)),
    ...(routeConfig?.has("vhds") === true ? [routeConfig] : []),
    ...hosts.map((host) => host.get("matcher", true)),
  ];
  const message = "which routes there are, and what they do to headers, is not in this file";
  return reasons.map((reason) => report(reason ?? node, "not-followed", message, CHECK));
}

/** Behind a CDN some connections must be the CDN's. */
function lintMissingCdn(
  managers: readonly EnvoyManager[],
  topology: Topology | undefined,
  report: Report,
): Finding[] {
  const [first] = managers;
  if (first === undefined || topology === undefined || topology === "direct") return [];
  // Those who may speak for clients, be it that they are too many, are reported for what they are.
  const isTold = managers.some(({ isRestricted, wideRanges, trustedHops, hasDetection }) => {
    return isRestricted || wideRanges.length > 0 || trustedHops > 0 || hasDetection;
  });
  if (isTold) return [];
  const message = `in topology ${topology} ${describeTopology(topology)}; here nobody is told apart`;
  const mend = "a filter chain with direct_source_prefix_ranges, as the rendered files have";
  return [report(first.node, "topology-mismatch", message, mend)];
}

/** Many routes share a rule; once is enough. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.map((one) => [`${one.line}:${one.rule}:${one.message}`, one]));
  return [...seen.values()];
}
