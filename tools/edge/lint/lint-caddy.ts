import type { Topology } from "../edge-config.ts";
import type { CaddyProxy, CaddyTrust } from "./caddy-headers.ts";
import { lintCaddyIdentity } from "./caddy-identity-rules.ts";
import { findReached, findRewrites, findSites } from "./caddy-routes.ts";
import { type CaddyDirective, type CaddyProblem, readCaddyTree } from "./caddy-tree.ts";
import { lintTrustedProxies } from "./caddy-trust-rules.ts";
import type { Finding, Rule } from "./finding.ts";
import { INTERNAL_PATHS } from "./lint-policy.ts";
import { createIncludeReader } from "./nginx-includes.ts";
import { lintCaddyPorts } from "./private-port-rules.ts";

/** Finds the traps of a Caddyfile, with the files that it imports. */
export function lintCaddy(file: string, text: string, topology: Topology | undefined): Finding[] {
  const { directives: root, problems } = readCaddyTree(file, text, (from, pattern) => {
    return createIncludeReader(from)(pattern);
  });
  const visited = visit(root, []);
  const proxies = visited
    .filter(({ directive }) => directive.words[0] === "reverse_proxy")
    .map((one) => ({ ...one, trust: readTrust(one.directive, root), scope: scopeOf(one, root) }));
  return withoutRepeats([
    ...problems.map(describe),
    ...visited.flatMap(({ directive }) => lintTrustedProxies(directive, topology)),
    ...lintCaddyIdentity(proxies, topology),
    ...findSites(root).flatMap((site) => lintExposure(site, root)),
    ...proxies.flatMap((proxy) => lintRewrites(proxy, root)),
    ...lintCaddyPorts(root),
  ]);
}

type Visited = { directive: CaddyDirective; around: readonly CaddyDirective[] };

function visit(
  directives: readonly CaddyDirective[],
  around: readonly CaddyDirective[],
): Visited[] {
  return directives.flatMap((directive) => [
    { directive, around },
    ...visit(directive.block, [directive, ...around]),
  ]);
}

/** The blocks around a directive, the innermost first; in a site without braces, the root. */
function scopeOf({ around }: Visited, root: readonly CaddyDirective[]): CaddyProxy["scope"] {
  return [...around.map(({ block }) => block), root];
}

function readTrust(proxy: CaddyDirective, root: readonly CaddyDirective[]): CaddyTrust {
  const options = root.filter(({ words }) => words.length === 0).flatMap(({ block }) => block);
  const servers = options.filter(({ words }) => words[0] === "servers");
  const lines = [...servers.flatMap(({ block }) => block), ...proxy.block];
  const named = lines.find(({ words }) => words[0] === "client_ip_headers")?.words.slice(1) ?? [];
  const isOther =
    named.length > 0 && named.every((name) => name.toLowerCase() !== "x-forwarded-for");
  return {
    isTrusting: lines.some(({ words }) => words[0] === "trusted_proxies"),
    isStrict: isOther || lines.some(({ words }) => words[0] === "trusted_proxies_strict"),
  };
}

function describe({ file, line, kind, text }: CaddyProblem): Finding {
  const rules = {
    syntax: { rule: "syntax", mend: "close every block" },
    unread: { rule: "include-not-read", mend: "lint it where what it imports can be read" },
    obscure: { rule: "not-followed", mend: "write the directives themselves" },
  } as const;
  return { file, line, message: text, ...rules[kind] };
}

function report(
  { file, line }: CaddyDirective,
  rule: Rule,
  message: string,
  mend: string,
): Finding {
  return { file, line, rule, message, mend };
}

function lintExposure(site: readonly CaddyDirective[], root: readonly CaddyDirective[]): Finding[] {
  const exposing = new Map<CaddyDirective, string[]>();
  for (const path of INTERNAL_PATHS) {
    for (const proxy of findReached(site, root, { path, fromTrusted: false })) {
      exposing.set(proxy, [...(exposing.get(proxy) ?? []), path]);
    }
  }
  return [...exposing].map(([proxy, paths]) => {
    const rest = paths.length > 1 ? ` and ${paths.length - 1} more that are not for browsers` : "";
    const message = `${paths[0]}${rest} can be reached through this`;
    const mend = "handle the public routes, and respond 404 to the rest";
    return report(proxy, "internal-route-exposed", message, mend);
  });
}

function lintRewrites(
  { directive, around }: CaddyProxy,
  root: readonly CaddyDirective[],
): Finding[] {
  // Where the braces of the only site are left out, its directives stand at the root.
  const site = findSites(root).includes(root) ? root : [];
  return INTERNAL_PATHS.flatMap((path) => {
    return findRewrites(directive, around, site, path).map((rewrite) => {
      const message = `the path that this makes can be ${path}, which is not for browsers`;
      return report(rewrite, "internal-route-exposed", message, "forward the path as it came");
    });
  });
}

/** What several places import is one thing to mend. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.map((one) => [`${one.file}:${one.line}:${one.rule}`, one]));
  return [...seen.values()];
}
