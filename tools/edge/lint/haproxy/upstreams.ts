import { FOREIGN_PATHS, findOurUpstreams, OUR_PATHS, type OurUpstreams } from "../our-upstreams.ts";
import { appliesTo, type HaproxyWorld } from "./conditions.ts";
import { aclsOf, findFrontends, findRoutes, modeOf } from "./routes.ts";
import type { HaproxySection } from "./sections.ts";

/** The servers of a section; none where something else says where they are. */
export function addressesOf(section: HaproxySection): string[] {
  return section.lines.flatMap(({ words: [kind, , second = "", third = ""] }) => {
    if (kind === "server") return [second];
    return kind === "server-template" ? [third] : [];
  });
}

/** Finds which servers of a configuration are services of ours. */
export function readOurUpstreams(
  sections: readonly HaproxySection[],
  worldOf: (path: string) => HaproxyWorld,
  named: readonly string[],
): OurUpstreams {
  const frontends = findFrontends(sections).filter((section) => modeOf(section) === "http");
  const routed = frontends.flatMap((frontend) => [
    ...chosenByPath(sections, frontend, worldOf),
    ...reachedByPath(sections, frontend, worldOf),
  ]);
  const byName = sections.filter(({ name }) => /portcullis/i.test(name));
  return findOurUpstreams({
    all: sections.flatMap(addressesOf),
    routed: [...routed, ...byName].flatMap(addressesOf),
    named,
  });
}

/** Backends that a line names for paths of ours, and for no other. */
function chosenByPath(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  worldOf: (path: string) => HaproxyWorld,
): HaproxySection[] {
  const acls = aclsOf(frontend);
  const names = frontend.lines.flatMap(({ words }) => {
    const takes = (path: string) => appliesTo(words, acls, worldOf(path)) !== "no";
    const isOurs = OUR_PATHS.some(takes) && !FOREIGN_PATHS.some(takes);
    return words[0] === "use_backend" && isOurs ? [words[1] ?? ""] : [];
  });
  return sections.filter(({ kind, name }) => kind !== "defaults" && names.includes(name));
}

/** Backends that paths of ours get to, and others do not. */
function reachedByPath(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  worldOf: (path: string) => HaproxyWorld,
): HaproxySection[] {
  const reached = (paths: readonly string[]) => {
    return paths.flatMap((path) => {
      return findRoutes(sections, frontend, worldOf(path)).map(({ backend }) => backend);
    });
  };
  const foreign = new Set(reached(FOREIGN_PATHS));
  return reached(OUR_PATHS).filter((backend) => !foreign.has(backend));
}
