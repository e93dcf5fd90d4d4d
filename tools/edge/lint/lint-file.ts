import { basename } from "node:path";
import type { Topology } from "../edge-config.ts";
import { findPreset } from "../presets.ts";
import type { Finding } from "./finding.ts";
import { readHaproxySections } from "./haproxy-sections.ts";
import { lintCaddy } from "./lint-caddy.ts";
import { lintEnvoy } from "./lint-envoy.ts";
import { lintHaproxy } from "./lint-haproxy.ts";
import { lintHops } from "./lint-hops.ts";
import { lintNginx } from "./lint-nginx.ts";
import { createIncludeReader } from "./nginx-includes.ts";
import { readNginxTree } from "./nginx-tree.ts";

/** What a file configures; `settings` are a service's, of which only the hops are looked at. */
export type FileKind = "nginx" | "haproxy" | "caddy" | "envoy" | "settings";

export type LintedFile = {
  findings: readonly Finding[];
  /** What could not be looked at, in words. */
  notes: readonly string[];
};

/** Finds every trap in one file; the topology is the given one, the file's own, or inferred. */
export function lintFile(
  file: string,
  text: string,
  kind: FileKind,
  given: Topology | undefined,
): LintedFile {
  const topology = given ?? readDeclaredTopology(text);
  const { findings, notes } = lintKind(file, text, kind, topology);
  const hops = topology === undefined ? [] : lintHops(file, text, topology);
  const sorted = [...findings, ...hops].toSorted((one, other) => one.line - other.line);
  return { findings: sorted, notes };
}

function lintKind(
  file: string,
  text: string,
  kind: FileKind,
  topology: Topology | undefined,
): LintedFile {
  switch (kind) {
    case "nginx": {
      const tree = readNginxTree(file, text, createIncludeReader(file));
      return { findings: lintNginx(tree, topology), notes: [] };
    }
    case "haproxy":
      return { findings: lintHaproxy(readHaproxySections(file, text), topology), notes: [] };
    case "caddy":
      return { findings: lintCaddy(file, text, topology), notes: [] };
    case "envoy":
      return { findings: lintEnvoy(file, text, topology), notes: [] };
    case "settings": {
      const isUnclear = topology === undefined && lintHops(file, text, "direct").length > 0;
      const note = `${file}: hops were not checked; --topology says what they must fit`;
      return { findings: [], notes: isUnclear ? [note] : [] };
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
  if (/\.ya?ml$/.test(name))
    return /@type|http_filters|filter_chains/.test(text) ? "envoy" : "settings";
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
