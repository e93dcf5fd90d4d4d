import { matchesPattern } from "../portable-regex.ts";
import { isAmong } from "../trusted-range.ts";
import { allOf, anyOf, not, type Truth, truthOf } from "../truth.ts";
import type { CaddyDirective } from "./tree.ts";

/** The request that a matcher is asked about; without a path, any request. */
export type CaddyWorld = {
  path: string | undefined;
  /** Whether the peer is one of the addresses that the configuration tells apart. */
  fromTrusted: boolean;
};

/** The blocks around a directive, the innermost first: where its named matchers and maps are. */
export type CaddyScope = readonly (readonly CaddyDirective[])[];

/** The matcher that a directive names before its arguments. */
export function matcherOf({ words }: CaddyDirective): string | undefined {
  const [, first = ""] = words;
  return /^[@/]|^\*$/.test(first) ? first : undefined;
}

/** Whether a directive applies; one without matcher always does. */
export function applies(directive: CaddyDirective, scope: CaddyScope, world: CaddyWorld): Truth {
  const matcher = matcherOf(directive);
  if (matcher === undefined || matcher === "*") return "yes";
  if (matcher.startsWith("/")) return matchesPath([matcher], world);
  const set = findMatcher(matcher, scope);
  return set === undefined ? "maybe" : matchesSet(entriesOf(set), scope, world);
}

/** The length by which Caddy sorts: of the one path, 0 for any other matcher, below that none. */
export function specificityOf(directive: CaddyDirective, scope: CaddyScope): number {
  const matcher = matcherOf(directive);
  if (matcher === undefined || matcher === "*") return -1;
  if (matcher.startsWith("/")) return matcher.length;
  const set = findMatcher(matcher, scope);
  const [only, ...others] = set === undefined ? [] : entriesOf(set);
  const isOnePath = only?.words[0] === "path" && only.words.length === 2 && others.length === 0;
  return isOnePath ? (only.words[1]?.length ?? 0) : 0;
}

function findMatcher(name: string, scope: CaddyScope): CaddyDirective | undefined {
  return scope.flat().find(({ words }) => words[0] === name);
}

type Entry = Pick<CaddyDirective, "words" | "block">;

/** What all has to match; one line after a name is a set of its own. */
function entriesOf({ words, block }: Entry): readonly Entry[] {
  return words.length > 1 ? [{ words: words.slice(1), block }] : block;
}

function matchesSet(entries: readonly Entry[], scope: CaddyScope, world: CaddyWorld): Truth {
  if (entries.length === 0) return "maybe";
  // Several lines of paths are alternatives.
  const paths = entries.filter(({ words }) => words[0] === "path");
  const patterns = paths.flatMap(({ words }) => words.slice(1));
  const others = entries.filter(({ words }) => words[0] !== "path");
  return allOf([
    ...(paths.length === 0 ? [] : [matchesPath(patterns, world)]),
    ...others.map((entry) => matchesEntry(entry, scope, world)),
  ]);
}

function matchesEntry(entry: Entry, scope: CaddyScope, world: CaddyWorld): Truth {
  const [kind = "", ...values] = entry.words;
  switch (kind) {
    case "not":
      return not(matchesSet(entriesOf(entry), scope, world));
    case "path_regexp":
      if (world.path === undefined) return "maybe";
      return matchesPattern(values.at(-1) ?? "", world.path, false);
    case "remote_ip":
      if (values[0] === "forwarded") return "maybe";
      return isAmong(values, world.fromTrusted);
    case "vars":
      return matchesVariable(values[0] ?? "", values.slice(1), scope, world);
    default:
      return "maybe";
  }
}

/** Caddy compares without regard to case; "*" stands at either end, or for a part between slashes. */
function matchesPath(patterns: readonly string[], { path }: CaddyWorld): Truth {
  if (patterns.includes("*") || patterns.includes("/*")) return "yes";
  if (path === undefined) return "maybe";
  return anyOf(patterns.map((pattern) => matchesOne(pattern.toLowerCase(), path.toLowerCase())));
}

function matchesOne(pattern: string, path: string): Truth {
  if (/[%{?[]/.test(pattern)) return "maybe";
  const inner = pattern.replace(/^\*|\*$/g, "");
  if (inner.includes("*")) {
    const source = pattern.replace(/[.+^$()|\\\]}]/g, "\\$&").replaceAll("*", "[^/]*");
    return truthOf(new RegExp(`^${source}$`).test(path));
  }
  const [fromAny, toAny] = [pattern.startsWith("*"), pattern.endsWith("*")];
  if (fromAny && toAny) return truthOf(path.includes(inner));
  if (fromAny) return truthOf(path.endsWith(inner));
  return truthOf(toAny ? path.startsWith(inner) : path === pattern);
}

/** What a map makes of the path, compared with what is wanted. */
function matchesVariable(
  name: string,
  wanted: readonly string[],
  scope: CaddyScope,
  world: CaddyWorld,
): Truth {
  const map = findMap(name, scope);
  const value = map === undefined ? undefined : readMapped(map, name, world);
  return value === undefined ? "maybe" : truthOf(wanted.includes(value));
}

/** The map that fills a placeholder. */
export function findMap(placeholder: string, scope: CaddyScope): CaddyDirective | undefined {
  return scope.flat().find(({ words }) => words[0] === "map" && words.includes(placeholder, 2));
}

/** The outputs of a map for one placeholder, each with its pattern. */
export function outputsOf(
  map: CaddyDirective,
  placeholder: string,
): { input: string; output: string }[] {
  const column = map.words.indexOf(placeholder, 2) - 1;
  return map.block.map(({ words }) => ({ input: words[0] ?? "", output: words[column] ?? "" }));
}

const PATHS = ["{path}", "{http.request.uri.path}", "{http.request.orig_uri.path}"];
const URIS = ["{uri}", "{http.request.uri}", "{http.request.orig_uri}"];

function readMapped(
  map: CaddyDirective,
  placeholder: string,
  { path }: CaddyWorld,
): string | undefined {
  const source = map.words[1] ?? "";
  const isUri = URIS.includes(source);
  if (path === undefined || !(isUri || PATHS.includes(source))) return undefined;
  const outputs = outputsOf(map, placeholder);
  for (const { input, output } of outputs.filter((one) => one.input !== "default")) {
    const truth = matchesInput(input, path, isUri);
    if (truth === "maybe") return undefined;
    if (truth === "yes") return output.includes("{") ? undefined : output;
  }
  return outputs.find(({ input }) => input === "default")?.output ?? "";
}

function matchesInput(input: string, path: string, isUri: boolean): Truth {
  if (!input.startsWith("~")) return truthOf(input === path);
  const pattern = input.slice(1);
  const truth = matchesPattern(pattern, path, false);
  // A query behind the path can hold whatever a pattern looks for that is not bound to the start.
  const reachesQuery = isUri && (!/^(\(\?i\))?\^/.test(pattern) || /\.[*+]|\[\^/.test(pattern));
  return truth === "no" && reachesQuery ? "maybe" : truth;
}
