import { appliesTo, type HaproxyAcls, type HaproxyWorld, readAcls } from "./haproxy-conditions.ts";
import type { HaproxyLine, HaproxySection } from "./haproxy-sections.ts";

/** A way through the configuration: a place that listens, and the servers a request ends at. */
export type HaproxyRoute = { frontend: HaproxySection; backend: HaproxySection };

/** Actions after which a request is not forwarded. */
const ENDS = [
  "deny",
  "reject",
  "tarpit",
  "return",
  "redirect",
  "auth",
  "silent-drop",
  "use-service",
];

/** The sections that take HTTP requests from outside. */
export function findFrontends(sections: readonly HaproxySection[]): HaproxySection[] {
  return sections.filter((section) => section.kind === "frontend" || section.kind === "listen");
}

/** The mode in effect; TCP where none is named, as HAProxy has it. */
export function modeOf(section: HaproxySection): string {
  return findLast(section, (words) => words[0] === "mode")?.words[1] ?? "tcp";
}

/** The last line that fits, in the section or else in its defaults. */
export function findLast(
  section: HaproxySection,
  fits: (words: readonly string[]) => boolean,
): HaproxyLine | undefined {
  const find = (lines: readonly HaproxyLine[]) => lines.findLast(({ words }) => fits(words));
  return find(section.lines) ?? find(section.defaults);
}

/** The http-request rules of a section, those of its defaults first. */
export function requestRules(section: HaproxySection): readonly HaproxyLine[] {
  const lines = [...section.defaults, ...section.lines];
  return lines.filter(({ words }) => words[0] === "http-request");
}

export function aclsOf(section: HaproxySection): HaproxyAcls {
  return readAcls([...section.defaults, ...section.lines]);
}

/** Where requests of this kind can be forwarded; what only may be refused counts as refused. */
export function findRoutes(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  world: HaproxyWorld,
): HaproxyRoute[] {
  if (isRefused(frontend, world)) return [];
  const backends = candidates(sections, frontend, world);
  return backends
    .filter((backend) => backend === frontend || !isRefused(backend, world))
    .map((backend) => ({ frontend, backend }));
}

function isRefused(section: HaproxySection, world: HaproxyWorld): boolean {
  const acls = aclsOf(section);
  for (const { words } of requestRules(section)) {
    const action = words[1] ?? "";
    const truth = appliesTo(words, acls, world);
    if (action === "allow" && truth === "yes") return false;
    if (ENDS.includes(action) && truth !== "no") return true;
  }
  return false;
}

function candidates(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  world: HaproxyWorld,
): HaproxySection[] {
  const acls = aclsOf(frontend);
  const named = (name: string | undefined) => {
    return sections.filter((one) => one.name === name && ["backend", "listen"].includes(one.kind));
  };
  const found: HaproxySection[] = [];
  for (const { words } of frontend.lines.filter((line) => line.words[0] === "use_backend")) {
    const truth = appliesTo(words, acls, world);
    if (truth === "no") continue;
    found.push(...named(words[1]));
    if (truth === "yes") return found;
  }
  const fallback = findLast(frontend, (words) => words[0] === "default_backend");
  if (fallback !== undefined) return [...found, ...named(fallback.words[1])];
  const isListen = frontend.lines.some(({ words }) => words[0] === "server");
  return isListen ? [...found, frontend] : found;
}
