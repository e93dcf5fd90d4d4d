import type { Truth } from "../truth.ts";
import { matchesPath, readNginxPattern } from "./pattern.ts";
import { childrenNamed, innerScope, type NginxScope } from "./places.ts";
import type { NginxDirective } from "./tree.ts";

/** How a location says which requests are its own. */
export type LocationMatch = {
  modifier: "" | "=" | "^~" | "~" | "~*" | "@";
  pattern: string;
};

/** Reads a location's arguments; the modifier may stand apart or touch the pattern. */
export function readLocation({ args }: NginxDirective): LocationMatch {
  const [, modifier = "", pattern = ""] = /^(=|\^~|~\*|~|@)?(.*)$/s.exec(args.join("")) ?? [];
  return { modifier: MODIFIERS.find((known) => known === modifier) ?? "", pattern };
}

const MODIFIERS = ["=", "^~", "~", "~*", "@"] as const;

export function isRegexLocation({ modifier }: LocationMatch): boolean {
  return modifier === "~" || modifier === "~*";
}

/** A location named @name, wherever in a server it is asked for. */
export function findNamedLocation(server: NginxScope, name: string): NginxScope | undefined {
  const found = childrenNamed(server, "location").find((one) => one.args.join("") === name);
  return found && innerScope(server, found);
}

/**
 * The blocks that can be the one for a path, by nginx' own order: the exact location, the longest
 * prefix (final with ^~), the first regular expression, the longest prefix; inside a location that
 * was found the same again. There are several where a pattern cannot be read.
 */
export function findLocations(server: NginxScope, path: string): NginxScope[] {
  return search(server, path).map(({ scope }) => scope);
}

/** A search that is final is not continued outside of the location that it was made in. */
type Found = { scope: NginxScope; isFinal: boolean };

function search(scope: NginxScope, path: string): Found[] {
  const locations = childrenNamed(scope, "location").map((directive) => {
    return { directive, match: readLocation(directive) };
  });
  const exact = locations.find(({ match }) => match.modifier === "=" && match.pattern === path);
  if (exact !== undefined) return [{ scope: innerScope(scope, exact.directive), isFinal: true }];
  const [longest] = locations
    .filter(({ match }) => ["", "^~"].includes(match.modifier) && path.startsWith(match.pattern))
    .toSorted((one, other) => other.match.pattern.length - one.match.pattern.length);
  const byPrefix: Found[] =
    longest === undefined
      ? [{ scope, isFinal: false }]
      : search(innerScope(scope, longest.directive), path);
  const final = byPrefix.filter(({ isFinal }) => isFinal);
  const open = byPrefix.filter(({ isFinal }) => !isFinal);
  // A prefix inside the prefix does not keep the regular expressions out here from being asked.
  if (open.length === 0 || longest?.match.modifier === "^~") return byPrefix;
  const matching: Found[] = [];
  for (const { directive, match } of locations.filter((one) => isRegexLocation(one.match))) {
    const truth = matchLocation(match, path);
    if (truth === "no") continue;
    const nested = search(innerScope(scope, directive), path);
    matching.push(...nested.map((found) => ({ ...found, isFinal: true })));
    if (truth === "yes") return [...final, ...matching];
  }
  return [...final, ...matching, ...open];
}

/** Whether a regular expression location takes a path. */
function matchLocation({ modifier, pattern }: LocationMatch, path: string): Truth {
  return matchesPath(readNginxPattern(pattern, modifier === "~*"), path);
}

/** The innermost location that a scope is in. */
export function locationAround(scope: NginxScope): LocationMatch | undefined {
  const { directive } = scope.find((block) => block.directive?.name === "location") ?? {};
  return directive && readLocation(directive);
}

/** What a location's own pattern cuts out, where nothing after it can have cut out something else. */
export function groupsOf(scope: NginxScope): readonly string[] {
  const [block] = scope;
  if (block?.directive?.name !== "location") return [];
  const match = readLocation(block.directive);
  const isCutAgain = block.children.some(({ name }) => name === "if" || name === "rewrite");
  if (!isRegexLocation(match) || isCutAgain) return [];
  return readNginxPattern(match.pattern, match.modifier === "~*").groups;
}
