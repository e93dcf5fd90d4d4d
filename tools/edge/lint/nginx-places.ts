import type { NginxDirective } from "./nginx-tree.ts";

/** A block with all the blocks around it, the innermost first. */
export type NginxScope = readonly Block[];
type Block = { directive: NginxDirective | undefined; children: readonly NginxDirective[] };

/** A place from which requests are forwarded: one proxy_pass and all that is in effect for it. */
export type ProxiedPlace = {
  pass: NginxDirective;
  scope: NginxScope;
  /** The proxy_set_header directives in effect: those of the nearest level that has any. */
  headers: readonly NginxDirective[];
  /** Those of outer levels, which the nearest level silently replaces. */
  lost: readonly NginxDirective[];
};

/** The outermost level of a file. */
export function rootScope(directives: readonly NginxDirective[]): NginxScope {
  return [{ directive: undefined, children: directives }];
}

function inner(scope: NginxScope, directive: NginxDirective): NginxScope {
  return [{ directive, children: directive.block ?? [] }, ...scope];
}

/** Every scope of the tree, outer ones first. */
export function allScopes(scope: NginxScope): NginxScope[] {
  const children = scope[0]?.children ?? [];
  const blocks = children.filter((child) => child.block !== undefined);
  return [scope, ...blocks.flatMap((block) => allScopes(inner(scope, block)))];
}

/** Every place that forwards over HTTP. */
export function findProxiedPlaces(scope: NginxScope): ProxiedPlace[] {
  return allScopes(scope)
    .filter((candidate) => !isInside(candidate, "stream"))
    .flatMap((candidate) => {
      const passes = childrenNamed(candidate, "proxy_pass");
      return passes.map((pass) => placeOf(candidate, pass));
    });
}

function placeOf(scope: NginxScope, pass: NginxDirective): ProxiedPlace {
  const levels = scope
    .map((block) => block.children.filter(({ name }) => name === "proxy_set_header"))
    .filter((headers) => headers.length > 0);
  const [headers = [], ...outer] = levels;
  return { pass, scope, headers, lost: outer.flat() };
}

/** Whether a block of this name is somewhere around. */
export function isInside(scope: NginxScope, name: string): boolean {
  return scope.some(({ directive }) => directive?.name === name);
}

/** The directives of this name directly in the innermost block. */
export function childrenNamed(scope: NginxScope, name: string): readonly NginxDirective[] {
  return (scope[0]?.children ?? []).filter((child) => child.name === name);
}

/** The setting in effect: the nearest level's last, as nginx inherits it. */
export function findSetting(scope: NginxScope, name: string): NginxDirective | undefined {
  for (const block of scope) {
    const found = block.children.findLast((child) => child.name === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The scopes in which requests arrive: server blocks, or a file of bare locations. */
export function findServers(scope: NginxScope): NginxScope[] {
  const servers = allScopes(scope).filter((candidate) => {
    return candidate[0]?.directive?.name === "server" && !isInside(candidate, "stream");
  });
  return childrenNamed(scope, "location").length > 0 ? [scope, ...servers] : servers;
}

/**
 * Where a server forwards a path, by nginx' own order: the exact location, the longest prefix
 * (final with ^~), the first regular expression, the longest prefix. Undefined when the path is
 * answered here or not at all.
 */
export function findPlaceFor(server: NginxScope, path: string): ProxiedPlace | undefined {
  const scope = findLocation(server, path) ?? server;
  const isAnswered = scope.some((block) => {
    const isLocation = block.directive?.name === "location" || block === server[0];
    return isLocation && block.children.some(answersItself);
  });
  if (isAnswered) return undefined;
  const [pass] = childrenNamed(scope, "proxy_pass");
  if (pass !== undefined) return placeOf(scope, pass);
  const conditions = childrenNamed(scope, "if").map((condition) => inner(scope, condition));
  const conditional = conditions.find((one) => childrenNamed(one, "proxy_pass").length > 0);
  return conditional && findProxiedPlaces(conditional)[0];
}

/** Unconditional ends: nothing is forwarded from here to the public. */
function answersItself({ name, args }: NginxDirective): boolean {
  return name === "return" || name === "internal" || (name === "deny" && args[0] === "all");
}

function findLocation(scope: NginxScope, path: string): NginxScope | undefined {
  const locations = childrenNamed(scope, "location").map((directive) => {
    const [first = "", second] = directive.args;
    const modifier = second === undefined ? "" : first;
    return { directive, modifier, pattern: second ?? first };
  });
  const exact = locations.find(({ modifier, pattern }) => modifier === "=" && pattern === path);
  if (exact !== undefined) return inner(scope, exact.directive);
  const prefixes = locations
    .filter(({ modifier, pattern }) => {
      return ["", "^~"].includes(modifier) && pattern.startsWith("/") && path.startsWith(pattern);
    })
    .toSorted((one, other) => other.pattern.length - one.pattern.length);
  const [longest] = prefixes;
  const prefixScope = longest && inner(scope, longest.directive);
  const nested = prefixScope && findLocation(prefixScope, path);
  if (longest?.modifier === "^~") return nested ?? prefixScope;
  const matching = locations.find(({ modifier, pattern }) => {
    return ["~", "~*"].includes(modifier) && matches(pattern, modifier, path);
  });
  return nested ?? (matching && inner(scope, matching.directive)) ?? prefixScope;
}

function matches(pattern: string, modifier: string, path: string): boolean {
  try {
    return new RegExp(pattern, modifier === "~*" ? "i" : "").test(path);
  } catch {
    // PCRE knows syntax that JavaScript does not; such a location is taken to match nothing.
    return false;
  }
}
