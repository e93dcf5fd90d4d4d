import { canLeadTo } from "../rewritten-path.ts";
import { applies, type CaddyScope, type CaddyWorld, matcherOf, specificityOf } from "./matchers.ts";
import type { CaddyDirective } from "./tree.ts";

/** The order in which Caddy runs directives, of those that matter here. */
const ORDER = [
  "redir",
  "handle_path",
  "handle",
  "route",
  "abort",
  "error",
  "respond",
  "reverse_proxy",
];

/** Directives after which nothing else runs. */
const ENDS = ["redir", "abort", "error", "respond", "reverse_proxy"];

/** The blocks that are sites: not the global options, and not routes to be invoked. */
export function findSites(root: readonly CaddyDirective[]): (readonly CaddyDirective[])[] {
  const isShort = root.some(({ words: [first = ""] }) => [...ORDER, "map"].includes(first));
  // With one site its braces may be left out; its address is the first line.
  if (isShort) return [root];
  const sites = root.filter(({ words: [first = "("] }) => !/^&?\(/.test(first));
  return sites.map(({ block }) => block);
}

/** The reverse_proxy directives that a request may get to. */
export function findReached(
  site: readonly CaddyDirective[],
  root: readonly CaddyDirective[],
  world: CaddyWorld,
): ReadonlySet<CaddyDirective> {
  const reached = new Set<CaddyDirective>();

  /** Walks through a block, and says whether a request certainly ends in it. */
  const walk = (
    block: readonly CaddyDirective[],
    around: CaddyScope,
    isOrdered: boolean,
  ): boolean => {
    const scope = [block, ...around];
    let isHandled = false;
    for (const directive of isOrdered ? block : sort(block, scope)) {
      const [name = ""] = directive.words;
      const truth = applies(directive, scope, world);
      const isSkipped = name === "handle" && isHandled;
      if (truth === "no" || isSkipped || name.startsWith("@")) continue;
      if (name === "reverse_proxy") reached.add(directive);
      const inner = blockOf(directive, root);
      const ends = ENDS.includes(name) || walk(inner, scope, name === "route");
      // What stands in a block that is not known here may never run.
      const isKnown = ORDER.includes(name) || name === "invoke";
      if (truth === "yes" && ends && isKnown) return true;
      if (name === "handle" && truth === "yes") isHandled = true;
    }
    return false;
  };

  walk(site, [], false);
  return reached;
}

/** Of one kind the most specific come first. */
function sort(block: readonly CaddyDirective[], scope: CaddyScope): readonly CaddyDirective[] {
  const rank = ({ words: [name = ""] }: CaddyDirective) => {
    const at = ORDER.indexOf(name);
    return at < 0 ? ORDER.indexOf("route") : at;
  };
  return block.toSorted((one, other) => {
    return rank(one) - rank(other) || specificityOf(other, scope) - specificityOf(one, scope);
  });
}

/** What a directive holds; a route that is invoked stands at the root. */
function blockOf(
  { words: [name, target], block }: CaddyDirective,
  root: readonly CaddyDirective[],
): readonly CaddyDirective[] {
  if (name !== "invoke") return block;
  return root.find(({ words }) => words[0] === `&(${target})`)?.block ?? [];
}

/** Directives around or in a reverse_proxy after which the path can be this one. */
export function findRewrites(
  proxy: CaddyDirective,
  around: readonly CaddyDirective[],
  site: readonly CaddyDirective[],
  path: string,
): CaddyDirective[] {
  const beside = [proxy, ...around].flatMap(({ block }) => block);
  const rewrites = [...beside, ...site].filter((one) => rewritesTo(one, path));
  const stripping = around.filter(({ words, block }) => {
    // What is put back in front makes the path another one again.
    const fixed = block.find((one) => one.words[0] === "rewrite" && !isConditional(one));
    return words[0] === "handle_path" && fixed === undefined;
  });
  return [...stripping, ...rewrites];
}

function isConditional(directive: CaddyDirective): boolean {
  const matcher = directive.words.length > 2 ? matcherOf(directive) : undefined;
  return matcher !== undefined && matcher !== "*";
}

function rewritesTo({ words }: CaddyDirective, path: string): boolean {
  const [name = "", ...rest] = words;
  if (name === "uri") {
    return rest.some((word) =>
      ["strip_prefix", "strip_suffix", "replace", "path_regexp"].includes(word),
    );
  }
  if (name !== "rewrite") return false;
  const [target = ""] = (rest.at(-1) ?? "").split("?", 1);
  if (["{uri}", "{path}", "{http.request.uri}", "{http.request.uri.path}"].includes(target)) {
    return false;
  }
  const [prefix = ""] = target.split("{", 1);
  return canLeadTo({ prefix, isWhole: prefix === target }, path);
}
