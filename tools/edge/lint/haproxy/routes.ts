import {
  type Assumptions,
  appliesTo,
  findTests,
  type HaproxyAcls,
  type HaproxyWorld,
  nameOf,
  readAcls,
} from "./conditions.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";

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

/** Each assumption doubles the worlds that are looked at; beyond these "maybe" is good enough. */
const ASSUMPTIONS_MAX = 5;

/** Tests whose answer is the same for the whole of a request. */
const LASTING =
  /^(ssl_fc|ssl_c_|method$|METH_|HTTP_|req\.ver$|dst(_port)?$|fc_|fe_id$|so_id$|src_port$)/;

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

/** Where requests of this kind can be forwarded; what only may be refused is forwarded too. */
export function findRoutes(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  world: HaproxyWorld,
): HaproxyRoute[] {
  if (isRefused(frontend, requestRules(frontend), world)) return [];
  return findBackends(sections, frontend, world)
    .filter((backend) => backend === frontend || !isRefused(backend, requestRules(backend), world))
    .map((backend) => ({ frontend, backend }));
}

/** Whether a request can get from behind this rule of a section to a service of ours. */
export function canPassAfter(
  sections: readonly HaproxySection[],
  section: HaproxySection,
  rule: HaproxyLine,
  world: HaproxyWorld,
  isOurs: (backend: HaproxySection) => boolean,
): boolean {
  const rules = requestRules(section);
  if (isRefused(section, rules.slice(rules.indexOf(rule) + 1), world)) return false;
  if (section.kind === "backend") return isOurs(section);
  return findBackends(sections, section, world)
    .filter(isOurs)
    .some((backend) => {
      return backend === section || !isRefused(backend, requestRules(backend), world);
    });
}

/** Only a certain refusal counts, and only when nothing may have let the request through before. */
function isRefused(
  section: HaproxySection,
  rules: readonly HaproxyLine[],
  world: HaproxyWorld,
): boolean {
  const acls = aclsOf(section);
  for (const { words } of rules) {
    const action = words[1] ?? "";
    const truth = appliesTo(words, acls, world);
    if (action === "allow" && truth !== "no") return false;
    if (ENDS.includes(action) && truth === "yes") return true;
  }
  return false;
}

function findBackends(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  world: HaproxyWorld,
): HaproxySection[] {
  const acls = aclsOf(frontend);
  const backends = sections.filter(({ kind }) => ["backend", "listen"].includes(kind));
  const named = (name: string | undefined) => backends.filter((one) => one.name === name);
  const found: HaproxySection[] = [];
  for (const { words } of frontend.lines.filter((line) => line.words[0] === "use_backend")) {
    const truth = appliesTo(words, acls, world);
    if (truth === "no") continue;
    // A name that each request makes can be any, and one that does not exist goes on to the default.
    const isMade = words[1]?.includes("%") === true;
    found.push(...(isMade ? backends : named(words[1])));
    if (truth === "yes" && !isMade) return [...new Set(found)];
  }
  const fallback = findLast(frontend, (words) => words[0] === "default_backend");
  const own = frontend.lines.some(({ words: [first = ""] }) => {
    return ["server", "server-template", "dispatch"].includes(first);
  });
  if (fallback !== undefined) found.push(...named(fallback.words[1]));
  else if (own) found.push(frontend);
  return [...new Set(found)];
}

/**
 * Every combination of answers to the tests that stand in several conditions. Where each of two
 * rules covers one answer, as with ssl_fc, only together do they cover everything.
 */
export function findAssumptions(sections: readonly HaproxySection[]): readonly Assumptions[] {
  const changed = new Set(
    sections.flatMap((section) => {
      return requestRules(section).map(({ words }) => words[2]?.toLowerCase() ?? "");
    }),
  );
  const counts = new Map<string, number>();
  for (const section of sections) {
    const acls = aclsOf(section);
    for (const { words } of [...section.defaults, ...section.lines]) {
      if (!["http-request", "use_backend"].includes(words[0] ?? "")) continue;
      for (const test of findTests(words, acls).filter((one) => isLasting(one, changed))) {
        counts.set(nameOf(test), (counts.get(nameOf(test)) ?? 0) + 1);
      }
    }
  }
  const names = [...counts].filter(([, count]) => count > 1).map(([name]) => name);
  return names
    .slice(0, ASSUMPTIONS_MAX)
    .reduce<Assumptions[]>(
      (worlds, name) =>
        worlds.flatMap((world) =>
          [true, false].map((answer) => new Map([...world, [name, answer]])),
        ),
      [new Map()],
    );
}

/** A header answers the same throughout when no rule changes it. */
function isLasting([fetch = ""]: readonly string[], changed: ReadonlySet<string>): boolean {
  const header = /^(?:req\.)?f?hdr\(([\w-]+)/i.exec(fetch)?.[1];
  return header === undefined ? LASTING.test(fetch) : !changed.has(header.toLowerCase());
}
