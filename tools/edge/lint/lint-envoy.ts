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
import type { Topology } from "../edge-config.ts";
import { lintForwardedFor, lintOtherHeaders, lintTrust } from "./envoy-identity-rules.ts";
import { type EnvoyManager, readEnvoyManager } from "./envoy-manager.ts";
import { lintRateLimit } from "./envoy-rate-limit-rules.ts";
import { lintRoutes } from "./envoy-route-rules.ts";
import { readHosts } from "./envoy-routes.ts";
import { createReport, type Report, readMap, readMaps, readText } from "./envoy-yaml.ts";
import type { Finding } from "./finding.ts";
import { describeTopology } from "./lint-policy.ts";
import { lintEnvoyPorts } from "./private-port-rules.ts";

/** Extensions that change headers or paths by rules of their own. */
const SCRIPTS =
  /\.(Lua|LuaPerRoute|Wasm|ExternalProcessor|ExtProcPerRoute|HeaderMutation|HeaderMutationPerRoute|ConfigsPerRoute|DynamicModuleFilter)$|\.golang\./;

const CHECK = "write it in a way that can be followed, or check by hand what it does";

/** Finds the traps of an Envoy configuration, or of a part of one. */
export function lintEnvoy(file: string, text: string, topology: Topology | undefined): Finding[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const report = createReport(file, lines);
  const findings: Finding[] = [];
  const managers: EnvoyManager[] = [];
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
        if (type.endsWith(".ratelimit.v3.RateLimit")) findings.push(...lintRateLimit(node, report));
        if (SCRIPTS.test(type)) {
          const message = "this may change headers and paths by rules that are not looked at";
          findings.push(report(node, "not-followed", message, CHECK));
        }
        if (!type.endsWith(".HttpConnectionManager")) return;
        const around = path.flatMap((one) => (isMap(one) && !isPair(one) ? [one] : []));
        managers.push(readEnvoyManager(node, around));
      },
    });
  }
  findings.push(...managers.flatMap((manager) => lintManager(manager, topology, report)));
  findings.push(...lintMissingCdn(managers, topology, report));
  findings.push(...lintEnvoyPorts(file, text));
  return withoutRepeats(findings);
}

/** Puts what an alias stands for into its place. */
function resolveAliases(document: Document.Parsed): void {
  visit(document, { Alias: (_key, alias) => alias.resolve(document) });
}

function lintManager(
  manager: EnvoyManager,
  topology: Topology | undefined,
  report: Report,
): Finding[] {
  const { node } = manager;
  const routeConfig = readMap(node, "route_config");
  return [
    ...lintTrust(manager, topology, report),
    ...lintUnread(node, routeConfig, report),
    ...(routeConfig === undefined
      ? []
      : readHosts(routeConfig).flatMap((routes) => [
          ...routes
            .filter(({ forwards }) => forwards)
            .flatMap(({ levels }) => levels)
            .flatMap((levels) => [
              ...lintForwardedFor(manager, levels, topology, report),
              ...lintOtherHeaders(manager, levels, routeConfig, report),
            ]),
          ...lintRoutes(manager, routes, report),
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
