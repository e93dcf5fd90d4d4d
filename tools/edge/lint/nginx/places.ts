import type { NginxDirective } from "./tree.ts";

/** A block with all the blocks around it, the innermost first. */
export type NginxScope = readonly Block[];
type Block = { directive: NginxDirective | undefined; children: readonly NginxDirective[] };

/** A place from which requests are forwarded over HTTP, and all that is in effect for it. */
export type ProxiedPlace = {
  pass: NginxDirective;
  scope: NginxScope;
  /** The directives in effect that set headers: those of the nearest level that has any. */
  headers: readonly NginxDirective[];
  /** Those of outer levels, which the nearest level silently replaces. */
  lost: readonly NginxDirective[];
};

/** The directives that forward a request, with the one that sets its headers where it is HTTP. */
const HEADER_DIRECTIVES: ReadonlyMap<string, string | undefined> = new Map([
  ["proxy_pass", "proxy_set_header"],
  ["grpc_pass", "grpc_set_header"],
  ["fastcgi_pass", undefined],
  ["uwsgi_pass", undefined],
  ["scgi_pass", undefined],
]);

/** The outermost level of a file. */
export function rootScope(directives: readonly NginxDirective[]): NginxScope {
  return [{ directive: undefined, children: directives }];
}

/** The scope of a block that is inside another. */
export function innerScope(scope: NginxScope, directive: NginxDirective): NginxScope {
  return [{ directive, children: directive.block ?? [] }, ...scope];
}

/** Every scope of the tree, outer ones first. */
export function allScopes(scope: NginxScope): NginxScope[] {
  const children = scope[0]?.children ?? [];
  const blocks = children.filter((child) => child.block !== undefined);
  return [scope, ...blocks.flatMap((block) => allScopes(innerScope(scope, block)))];
}

/** Every place that forwards over HTTP. */
export function findProxiedPlaces(scope: NginxScope): ProxiedPlace[] {
  return allScopes(scope)
    .filter((candidate) => !isInside(candidate, "stream"))
    .flatMap((candidate) => {
      const passes = findPasses(candidate);
      return passes.flatMap((pass) => placeOf(candidate, pass) ?? []);
    });
}

/** The directives directly in the innermost block that forward requests, in any protocol. */
export function findPasses(scope: NginxScope): readonly NginxDirective[] {
  return (scope[0]?.children ?? []).filter(({ name }) => HEADER_DIRECTIVES.has(name));
}

/** What is in effect where a request is forwarded; undefined where it is not forwarded as HTTP. */
export function placeOf(scope: NginxScope, pass: NginxDirective): ProxiedPlace | undefined {
  const setsHeader = HEADER_DIRECTIVES.get(pass.name);
  if (setsHeader === undefined) return undefined;
  const levels = scope
    .map((block) => block.children.filter(({ name }) => name === setsHeader))
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
  return findSettings(scope, [name]).at(-1);
}

/** The settings in effect that a level can have several of: those of the nearest that has any. */
export function findSettings(
  scope: NginxScope,
  names: readonly string[],
): readonly NginxDirective[] {
  for (const block of scope) {
    const found = block.children.filter(({ name }) => names.includes(name));
    if (found.length > 0) return found;
  }
  return [];
}

/** The scopes in which requests arrive: server blocks, or a file of bare locations. */
export function findServers(scope: NginxScope): NginxScope[] {
  const servers = allScopes(scope).filter((candidate) => {
    return candidate[0]?.directive?.name === "server" && !isInside(candidate, "stream");
  });
  return childrenNamed(scope, "location").length > 0 ? [scope, ...servers] : servers;
}
