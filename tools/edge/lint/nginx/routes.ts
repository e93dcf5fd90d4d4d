import { REALTIME_PATH } from "../../edge-policy.ts";
import { INTERNAL_PATHS, isPublicPath } from "../lint-policy.ts";
import { FILE_STATUS, findErrorTargets, findTryTarget, isClosedToStrangers } from "./access.ts";
import { candidatesOf } from "./candidates.ts";
import { findLocations, findNamedLocation, groupsOf, locationAround } from "./locations.ts";
import {
  allScopes,
  childrenNamed,
  findPasses,
  findSetting,
  innerScope,
  type NginxScope,
} from "./places.ts";
import { type NginxRequest, pathsOf, runRewrites } from "./rewrites.ts";
import { readPathTargets, readTargets } from "./targets.ts";
import type { NginxDirective } from "./tree.ts";
import { type NginxVariables, variablesAt } from "./variables.ts";

/** A request that reaches a service. */
export type Arrival = {
  pass: NginxDirective;
  scope: NginxScope;
  /** What sent it there: the pass, or a rewrite before it. */
  through: NginxDirective;
  /** The path that the service is asked for. */
  path: string;
  /**
   * Whether the path was the configuration's, not the client's choice, or is sent in a protocol
   * that no service speaks: of such paths only those that a service has matter.
   */
  isFixed: boolean;
};

/** nginx itself stops after ten. */
const REDIRECTS_MAX = 10;

type World = {
  server: NginxScope;
  variables: NginxVariables;
  candidates: readonly string[];
  /** Where requests have been: what was seen once leads to nothing new. */
  visited: Map<NginxDirective | undefined, Set<string>>;
};
type Way = { request: NginxRequest; redirects: number; isErrorPage: boolean };

/**
 * Follows requests through a server to every place that forwards them: for each path that matters
 * what nginx does with it, and for each location what it can make of paths that nobody knows.
 */
export function findArrivals(server: NginxScope, variables: NginxVariables): Arrival[] {
  const locations = allScopes(server).filter((scope) => {
    return scope[0]?.directive?.name === "location";
  });
  const own = locations.flatMap((scope) => candidatesOf(scope, variables));
  const candidates = [...new Set([...INTERNAL_PATHS, REALTIME_PATH, ...own])];
  const world = { server, variables, candidates, visited: new Map() };
  const known = candidates.flatMap((path) => enterServer(startOf(path), world));
  const unknown = startOf(undefined);
  const inside = isOpen(world)
    ? locations.flatMap((scope) => enterLocation(scope, unknown, world))
    : [];
  return withoutRepeats([...known, ...enterServer(unknown, world), ...inside]);
}

/** Whether any request gets as far as a location; a server that only redirects lets none. */
function isOpen(world: World): boolean {
  const outcomes = runRewrites(world.server, startOf(undefined).request, world);
  return outcomes.some((outcome) => {
    const isAnswered = outcome.kind === "answered";
    return !isAnswered || findErrorTargets(world.server, outcome.status).length > 0;
  });
}

/** What of all that reaches services of ours no browser has business with. */
export function findExposed(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals.filter(({ path, isFixed }) => {
    return isFixed ? INTERNAL_PATHS.includes(path) : !isPublicPath(path);
  });
}

function startOf(path: string | undefined): Way {
  const request = {
    asked: path,
    path,
    isRewritten: false,
    isInternal: false,
    isFixed: false,
    rewrittenBy: undefined,
  };
  return { request, redirects: 0, isErrorPage: false };
}

function enterServer(way: Way, world: World): Arrival[] {
  return runRewrites(world.server, way.request, world).flatMap((outcome) => {
    if (outcome.kind === "answered") return fail(world.server, outcome.status, way, world);
    // What a server's rewrites made of a path is what locations are chosen by.
    const request = { ...outcome.request, isRewritten: false };
    return findLocation({ ...way, request }, world);
  });
}

function findLocation(way: Way, world: World): Arrival[] {
  const { path } = way.request;
  if (path === undefined || way.redirects > REDIRECTS_MAX) return [];
  return findLocations(world.server, path).flatMap((scope) => enterLocation(scope, way, world));
}

function enterLocation(scope: NginxScope, way: Way, world: World): Arrival[] {
  if (wasVisited(scope, way, world)) return [];
  if (!way.request.isInternal && findSetting(scope, "internal") !== undefined) {
    return fail(scope, 404, way, world);
  }
  // Inside of limit_except nothing of the location's own rewrites, "return" included, is in effect.
  const exceptions = childrenNamed(scope, "limit_except")
    .map((directive) => innerScope(scope, directive))
    .filter((exception) => findPasses(exception).length > 0)
    .flatMap((exception) => goOn(exception, way, world));
  if (scope === world.server) return [...exceptions, ...goOn(scope, way, world)];
  const outcomes = runRewrites(scope, way.request, world);
  const ends = outcomes.flatMap((outcome) => {
    if (outcome.kind === "answered") return fail(scope, outcome.status, way, world);
    const { request } = outcome;
    if (outcome.kind === "goes-on") return goOn(outcome.scope, { ...way, request }, world);
    const again = { ...request, isRewritten: false, isInternal: true };
    return findLocation({ ...way, request: again, redirects: way.redirects + 1 }, world);
  });
  return [...exceptions, ...ends];
}

function wasVisited(scope: NginxScope, { request, isErrorPage }: Way, world: World): boolean {
  const { asked, path, isFixed, isInternal, isRewritten, rewrittenBy } = request;
  const by = rewrittenBy && [rewrittenBy.file, rewrittenBy.line, ...rewrittenBy.args];
  const key = JSON.stringify([asked, path, isFixed, isInternal, isRewritten, isErrorPage, by]);
  const at = scope[0]?.directive;
  const keys = world.visited.get(at) ?? new Set<string>();
  world.visited.set(at, keys);
  if (keys.has(key)) return true;
  keys.add(key);
  return false;
}

/** What comes after the rewrites: access rules, files, and the service. */
function goOn(scope: NginxScope, way: Way, world: World): Arrival[] {
  if (isClosedToStrangers(scope)) return fail(scope, 403, way, world);
  const asFile = findTryTarget(scope);
  const copied = findSetting(scope, "mirror")?.args[0];
  const isForwarded = findForwarding(scope) !== undefined;
  return [
    ...(asFile === undefined ? [] : redirect(asFile, scope, way, world)),
    ...(copied === undefined || copied === "off" ? [] : redirect(copied, scope, way, world)),
    ...(isForwarded ? arrive(scope, way, world) : fail(scope, FILE_STATUS, way, world)),
  ];
}

/** An error can have a page, and the page can be a service. */
function fail(
  scope: NginxScope,
  status: number | typeof FILE_STATUS,
  way: Way,
  world: World,
): Arrival[] {
  if (way.isErrorPage) return [];
  return findErrorTargets(scope, status).flatMap((target) => {
    return redirect(target, scope, { ...way, isErrorPage: true }, world);
  });
}

/** Sends a request to a named location as it is, or to another path. */
function redirect(text: string, scope: NginxScope, way: Way, world: World): Arrival[] {
  const { request, redirects } = way;
  if (redirects >= REDIRECTS_MAX) return [];
  const sent = { ...way, redirects: redirects + 1 };
  if (text.startsWith("@")) {
    const named = findNamedLocation(world.server, text);
    const inside = { ...sent, request: { ...request, isInternal: true } };
    return named === undefined ? [] : enterLocation(named, inside, world);
  }
  const variables = variablesAt(world.variables, scope);
  const { asked } = request;
  const targets = readPathTargets(text, { variables, groups: [], asked, path: request.path });
  return targets.flatMap((target) => {
    return pathsOf(target, request.path, world.candidates).flatMap((path) => {
      const isFixed = request.isFixed || !text.includes("$");
      const changed = { ...request, path, isFixed, isRewritten: false, isInternal: true };
      return findLocation({ ...sent, request: changed }, world);
    });
  });
}

/** The block that forwards requests which are here; an "if" forwards like what it stands in. */
function findForwarding(scope: NginxScope): NginxScope | undefined {
  const at = scope.findIndex(({ directive }) => directive?.name !== "if");
  const around = scope.slice(0, at + 1).map((_, index) => scope.slice(index));
  return around.find((one) => findPasses(one).length > 0);
}

/** The services that a request reaches from here. */
function arrive(scope: NginxScope, { request }: Way, { variables }: World): Arrival[] {
  const place = findForwarding(scope);
  const pass = place && findPasses(place).at(-1);
  if (place === undefined || pass === undefined) return [];
  const match = locationAround(place);
  const { asked, path: current } = request;
  const groups = groupsOf(place);
  const targets = readTargets(pass, place, { variables, groups, asked, path: current });
  const paths = targets.flatMap((target) => {
    // Of a path that nobody knows, "as it came" says nothing: the known ones are looked at.
    if (target.kind === "same" || (target.kind === "mapped" && request.isRewritten)) {
      return [request.path];
    }
    if (target.kind !== "mapped") return pathsOf(target, request.path, INTERNAL_PATHS);
    if (request.path === undefined) return [];
    return [`${target.prefix}${request.path.slice(match?.pattern.length ?? 0)}`];
  });
  const { rewrittenBy } = request;
  return paths.flatMap((path) => {
    if (path === undefined) return [];
    const isFixed = pass.name.endsWith("cgi_pass") || (request.isFixed && path !== asked);
    return [{ pass, scope: place, through: rewrittenBy ?? pass, path, isFixed }];
  });
}

function withoutRepeats(arrivals: readonly Arrival[]): Arrival[] {
  const seen = new Map<NginxDirective, Map<string, Arrival>>();
  for (const arrival of arrivals) {
    const byPath = seen.get(arrival.through) ?? new Map<string, Arrival>();
    const key = `${arrival.path} ${arrival.isFixed}`;
    if (!byPath.has(key)) byPath.set(key, arrival);
    seen.set(arrival.through, byPath);
  }
  return [...seen.values()].flatMap((byPath) => [...byPath.values()]);
}
