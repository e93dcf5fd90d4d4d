import { basename } from "node:path";
import type { Topology } from "../edge-config.ts";
import { findPreset } from "../presets.ts";
import { lintCaddy } from "./caddy/lint.ts";
import { lintEnvoy } from "./envoy/lint.ts";
import { type GroupedFinding, groupFindings, type Rule } from "./finding.ts";
import { foreignParts, whyNothing } from "./foreign-files.ts";
import { lintHaproxy } from "./haproxy/lint.ts";
import { readHaproxySections } from "./haproxy/sections.ts";
import { createIncludeReader } from "./includes.ts";
import { lintHops, mentionsHops } from "./lint-hops.ts";
import type { Linted, LintOptions } from "./linted.ts";
import { lintNginx } from "./nginx/lint.ts";
import { readNginxTree } from "./nginx/tree.ts";

/** What a file configures; `settings` are a service's, of which only the hops are looked at. */
export type FileKind = "nginx" | "haproxy" | "caddy" | "envoy" | "settings";

export type LintedFile = {
  findings: readonly (GroupedFinding & { topology?: Topology })[];
  /** What could not be judged, in words. */
  notes: readonly string[];
  /** The topology that was taken for granted, since neither the caller nor the file named one. */
  assumed: Topology | undefined;
  /** Why nothing in the file was judged; undefined where something was. */
  unread: string | undefined;
};

/** Finds every trap in one file; the topology is the given one, the file's own, or inferred. */
export function lintFile(
  file: string,
  text: string,
  kind: FileKind | undefined,
  given: Topology | undefined,
  upstreams: readonly string[] = [],
): LintedFile {
  const named = given ?? readDeclaredTopology(text);
  const linted = lintKind(file, text, kind, { topology: named, upstreams });
  const { topology, read } = linted;
  const hops = named === undefined ? [] : lintHops(file, text, named);
  const isRead = read === "all" || hops.length > 0;
  const assumed = named === undefined && isRead ? topology : undefined;
  const findings = groupFindings([...linted.findings, ...hops]).map((one) => {
    return assumed === "direct" && IDENTITY_RULES.has(one.rule)
      ? { ...one, mend: `${one.mend} ${WHERE_DIRECT}` }
      : one;
  });
  return {
    findings: findings.map((one) => (topology === undefined ? one : { ...one, topology })),
    notes: linted.notes.map((note) => `${file}: ${note}`),
    assumed,
    unread: isRead
      ? undefined
      : `${file}: nothing in this file is read here: ${whyNothing(kind, text)}`,
  };
}

/** What is right about the connection's address depends on who connects. */
const IDENTITY_RULES: ReadonlySet<string> = new Set<Rule>([
  "missing-forwarded-for",
  "appended-forwarded-for",
  "passed-through-forwarded-for",
  "forwardfor-adds-line",
  "forwardfor-if-none",
]);

const WHERE_DIRECT =
  "(where clients connect to this proxy themselves; behind a CDN or a balancer, lint with its --topology)";

function lintKind(
  file: string,
  text: string,
  kind: FileKind | undefined,
  options: LintOptions,
): Linted {
  switch (kind) {
    case "nginx":
      return lintNginx(readNginxTree(file, text, createIncludeReader(file)), options);
    case "haproxy":
      return lintHaproxy(readHaproxySections(file, text), options);
    case "caddy":
      return lintCaddy(file, text, options);
    case "envoy":
      return lintEnvoy(file, text, options);
    case "settings":
    case undefined: {
      const { topology } = options;
      const isRead = topology !== undefined && mentionsHops(text);
      const findings = isRead ? foreignParts(file, text) : [];
      return { findings, topology, read: isRead ? "all" : "nothing", notes: [] };
    }
  }
}

/** Rendered files say in their first lines which topology they are for. */
export function readDeclaredTopology(text: string): Topology | undefined {
  const name = /^# Portcullis edge: .*\btopology=([a-z-]+)/m.exec(text)?.[1];
  return findPreset(name ?? "")?.topology;
}

/** Tells what a file is, by its name or else by what it holds. */
export function detectKind(file: string, text: string): FileKind | undefined {
  const name = basename(file).toLowerCase();
  if (/(^|\.)caddyfile(\.|$)/.test(name)) return "caddy";
  const isEnvoy = /@type|http_filters|filter_chains/.test(text);
  if (/\.ya?ml$/.test(name)) return isEnvoy ? "envoy" : "settings";
  if (/\.json$/.test(name)) return isEnvoy ? "envoy" : undefined;
  if (/(^|\.)env(\.|$)/.test(name)) return "settings";
  const code = text.replace(/#.*$/gm, "");
  if (/(^|[\s;{}])(http|server|stream|location\s[^;{}]*|upstream\s[^;{}]*)\s*\{/.test(code)) {
    return "nginx";
  }
  // nginx has a "listen", too, and ends it.
  if (/^(global|defaults|frontend|backend|listen)\b[^;{}\n]*$/m.test(code)) return "haproxy";
  if (/;\s*$/m.test(code)) return "nginx";
  if (/^\s*(reverse_proxy|handle|respond)\b/m.test(text)) return "caddy";
  return /^[A-Z_]+=/m.test(text) ? "settings" : undefined;
}
