import type { Finding, Rule } from "../finding.ts";
import { createIncludeReader } from "../includes.ts";
import { INTERNAL_PATHS } from "../lint-policy.ts";
import { type Linted, type LintOptions, NONE_OF_OURS } from "../linted.ts";
import { lintCaddyPorts } from "../private-port-rules.ts";
import type { CaddyProxy, CaddyTrust } from "./headers.ts";
import { inferTopology, lintCaddyIdentity } from "./identity-rules.ts";
import { findReached, findRewrites, findSites } from "./routes.ts";
import { type CaddyDirective, type CaddyProblem, readCaddyTree } from "./tree.ts";
import { lintTrustedProxies } from "./trust-rules.ts";
import { lintUnread } from "./unread.ts";
import { addressesOf, readOurUpstreams } from "./upstreams.ts";

/** Finds the traps of a Caddyfile, with the files that it imports. */
export function lintCaddy(file: string, text: string, options: LintOptions): Linted {
  const { directives: root, problems } = readCaddyTree(file, text, (from, pattern) => {
    return createIncludeReader(from)(pattern);
  });
  const visited = visit(root, []);
  const all = visited
    .filter(({ directive }) => directive.words[0] === "reverse_proxy")
    .map((one) => ({ ...one, trust: readTrust(one.directive, root), scope: scopeOf(one, root) }));
  const ours = readOurUpstreams(all, options.upstreams);
  const isOurs = (proxy: CaddyDirective) => ours.isAnyKnown && ours.isAmong(addressesOf(proxy));
  // Where nothing is ours, what each does to headers is looked at, and no route.
  const judged = all.filter(({ directive }) => !ours.isAnyKnown || isOurs(directive));
  const proxies = all.filter(({ directive }) => isOurs(directive));
  const topology = options.topology ?? inferTopology(judged);
  const findings = [
    ...problems.map(describe),
    ...visited
      .filter((one) => !isRefusing(one, visited))
      .flatMap(({ directive }) => lintTrustedProxies(directive, options.topology)),
    ...lintUnread(visited.map(({ directive }) => directive)),
    ...judged.flatMap((proxy) => {
      const place = [proxy.directive, ...proxy.around].map(({ line }) => line).join(" ");
      // Services of ours have one topology; other applications have each their own.
      const own = ours.isAnyKnown ? topology : (options.topology ?? inferTopology([proxy]));
      return lintCaddyIdentity(proxy, own, ours.isAnyKnown).map((one) => ({ ...one, place }));
    }),
    ...findSites(root).flatMap((site) => lintExposure(site, root, isOurs)),
    ...proxies.flatMap((proxy) => lintRewrites(proxy, root)),
    ...lintCaddyPorts(root, ours),
  ];
  return {
    findings,
    topology,
    read: findSites(root).flat().some(isDirective) ? "all" : "nothing",
    notes: all.length > 0 && !ours.isAnyKnown ? [NONE_OF_OURS] : [],
  };
}

function isDirective({ words: [name = ""] }: CaddyDirective): boolean {
  return SITE_DIRECTIVES.test(name);
}

/** What a site holds; other things than these are no Caddyfile, whatever they look like. */
const SITE_DIRECTIVES =
  /^(@|(abort|acme_server|basic_?auth|bind|encode|error|file_server|forward_auth|fs|handle|handle_errors|handle_path|header|import|intercept|invoke|log|log_\w+|map|method|metrics|php_fastcgi|push|redir|request_body|request_header|respond|reverse_proxy|rewrite|root|route|templates|tls|tracing|try_files|uri|vars)$)/;

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

const REFUSALS = ["respond", "abort", "error"];

/** Whether ranges stand in a matcher by which requests are refused, and trusted with nothing. */
function isRefusing({ directive, around }: Visited, all: readonly Visited[]): boolean {
  const matcher = [directive, ...around].find(({ words }) => words[0]?.startsWith("@") === true);
  const name = matcher?.words[0];
  // Whoever is spared a refusal is trusted.
  const isSpared = [directive, ...around].some(({ words }) => words.includes("not"));
  if (name === undefined || isSpared) return false;
  const uses = all.filter((one) => one.directive.words.indexOf(name) > 0);
  return uses.length > 0 && uses.every((one) => REFUSALS.includes(one.directive.words[0] ?? ""));
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

function lintExposure(
  site: readonly CaddyDirective[],
  root: readonly CaddyDirective[],
  isOurs: (proxy: CaddyDirective) => boolean,
): Finding[] {
  const exposing = new Map<CaddyDirective, string[]>();
  for (const path of INTERNAL_PATHS) {
    for (const proxy of findReached(site, root, { path, fromTrusted: false })) {
      if (isOurs(proxy)) exposing.set(proxy, [...(exposing.get(proxy) ?? []), path]);
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
