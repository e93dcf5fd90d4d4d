import { canLeadTo } from "../rewritten-path.ts";
import type { HaproxyWorld } from "./conditions.ts";
import { withoutCondition } from "./conditions.ts";
import { canPassAfter, requestRules } from "./routes.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";

/** A rule after which the path is another one, and the paths that it must not become. */
export type HaproxyRewrite = { rule: HaproxyLine; paths: readonly string[] };

const SETS = ["set-path", "set-pathq", "set-uri"];
const REPLACES = ["replace-path", "replace-pathq", "replace-uri"];

/** Rewrites after which one of these paths gets to a server, whatever the client asked for. */
export function findRewrites(
  sections: readonly HaproxySection[],
  paths: readonly string[],
  worldOf: (path: string) => HaproxyWorld,
  isOurs: (backend: HaproxySection) => boolean,
): HaproxyRewrite[] {
  const places = sections.filter(({ kind }) => ["frontend", "listen", "backend"].includes(kind));
  return places.flatMap((section) => {
    return requestRules(section).flatMap((rule) => {
      const target = readTarget(withoutCondition(rule.words));
      if (target === undefined) return [];
      const reached = paths.filter((path) => {
        return (
          canLeadTo(target, path) && canPassAfter(sections, section, rule, worldOf(path), isOurs)
        );
      });
      return reached.length === 0 ? [] : [{ rule, paths: reached }];
    });
  });
}

/** What the path is made of: the text up to the first part that depends on the request. */
function readTarget(words: readonly string[]) {
  const [, action = "", first = "", second = ""] = words;
  if (action === "normalize-uri") {
    return /^(fragment|query)-/.test(first) ? undefined : { prefix: "", isWhole: false };
  }
  const format = SETS.includes(action) ? first : REPLACES.includes(action) ? second : undefined;
  if (format === undefined) return undefined;
  const [prefix = ""] = format.split(/\\\d|%/, 1);
  const path = action.endsWith("-uri") ? prefix.replace(/^[a-z]+:\/\/[^/]*/, "") : prefix;
  return { prefix: path, isWhole: prefix === format };
}
