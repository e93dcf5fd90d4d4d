import { matchesPath, type NginxPattern, readNginxPattern } from "./pattern.ts";
import { innerScope, type NginxScope } from "./places.ts";
import { readPathTargets, type Target } from "./targets.ts";
import type { NginxDirective } from "./tree.ts";
import type { NginxVariables } from "./variables.ts";

/** A request on its way through a server. */
export type NginxRequest = {
  /** The path as the client asked for it; undefined stands for any. */
  asked: string | undefined;
  /** The path as it is now. */
  path: string | undefined;
  /** Whether the path was changed since the location was chosen: proxy_pass then sends all of it. */
  isRewritten: boolean;
  /** Whether nginx itself sent it here, so that "internal" lets it in. */
  isInternal: boolean;
  /** Whether the path is the configuration's, not the client's choice. */
  isFixed: boolean;
  /** The rewrite that gave it its path. */
  rewrittenBy: NginxDirective | undefined;
};

/** What becomes of a request after the rewrite directives of one block. */
export type RewriteOutcome =
  /** It is answered with this status, if nothing else is made of that. */
  | { kind: "answered"; status: number }
  /** It goes on from here, in this block or in an "if" in it. */
  | { kind: "goes-on"; scope: NginxScope; request: NginxRequest }
  /** A location is looked for again, by the new path. */
  | { kind: "starts-over"; request: NginxRequest };

export type RewriteWorld = { variables: NginxVariables; candidates: readonly string[] };

type Live = { scope: NginxScope; request: NginxRequest; isChanged: boolean };
type Step = { live: readonly Live[]; done: readonly RewriteOutcome[] };

/**
 * Carries out "rewrite", "return", "break" and "if" as nginx does: in their order, those of this
 * block alone. A condition can be true or not, so there can be several outcomes.
 */
export function runRewrites(
  scope: NginxScope,
  request: NginxRequest,
  world: RewriteWorld,
): RewriteOutcome[] {
  const start = { scope, request, isChanged: false };
  const { live, done } = runBlock(scope[0]?.children ?? [], [start], world);
  return [...done, ...live.map(end)];
}

function end({ scope, request, isChanged }: Live): RewriteOutcome {
  return isChanged ? { kind: "starts-over", request } : { kind: "goes-on", scope, request };
}

function runBlock(
  directives: readonly NginxDirective[],
  start: readonly Live[],
  world: RewriteWorld,
): Step {
  let live = start;
  const done: RewriteOutcome[] = [];
  for (const directive of directives) {
    const steps = live.map((one) => runDirective(directive, one, world));
    live = withoutRepeats(steps.flatMap((step) => step.live));
    done.push(...steps.flatMap((step) => step.done));
  }
  return { live, done };
}

function runDirective(directive: NginxDirective, live: Live, world: RewriteWorld): Step {
  switch (directive.name) {
    case "return": {
      const status = Number(directive.args[0]);
      return {
        live: [],
        done: [{ kind: "answered", status: Number.isNaN(status) ? 302 : status }],
      };
    }
    case "break":
      return { live: [], done: [end({ ...live, isChanged: false })] };
    case "if": {
      const scope = innerScope(live.scope, directive);
      const inside = runBlock(directive.block ?? [], [{ ...live, scope }], world);
      return { live: [live, ...inside.live], done: inside.done };
    }
    case "rewrite":
      return rewrite(directive, live, world);
    default:
      return { live: [live], done: [] };
  }
}

function rewrite(directive: NginxDirective, live: Live, world: RewriteWorld): Step {
  const [pattern = "", replacement = "", flag] = directive.args;
  const regex = readNginxPattern(pattern, false);
  const { path } = live.request;
  const truth = path === undefined ? "maybe" : matchesPath(regex, path);
  if (truth === "no") return { live: [live], done: [] };
  const unchanged = truth === "yes" ? [] : [live];
  if (flag === "redirect" || flag === "permanent" || /^(https?:\/\/|\$scheme)/.test(replacement)) {
    return { live: unchanged, done: [{ kind: "answered", status: 302 }] };
  }
  const changed = rewrittenPaths(regex, replacement, live.request, world).map((changedPath) => ({
    ...live,
    isChanged: true,
    request: { ...live.request, path: changedPath, isRewritten: true, rewrittenBy: directive },
  }));
  switch (flag) {
    case "last":
      return { live: unchanged, done: changed.map(end) };
    case "break":
      return { live: unchanged, done: changed.map((one) => end({ ...one, isChanged: false })) };
    default:
      return { live: [...unchanged, ...changed], done: [] };
  }
}

/** The paths that a rewrite can make of a request, of all that matter here. */
function rewrittenPaths(
  pattern: NginxPattern,
  replacement: string,
  request: NginxRequest,
  { variables, candidates }: RewriteWorld,
): (string | undefined)[] {
  const { asked, path } = request;
  // Of a path that is known, the parts that are cut out are known as well.
  const parts = path === undefined ? null : (pattern.regex?.exec(path) ?? null);
  const known = replacement.replace(/\$(\d)/g, (whole, index) => {
    return parts === null ? whole : (parts[Number(index)] ?? "");
  });
  const targets = readPathTargets(known, { variables, groups: pattern.groups, asked, path });
  return targets.flatMap((target) => pathsOf(target, path, candidates));
}

/** The paths that a target stands for, of all that matter here. */
export function pathsOf(
  target: Target,
  path: string | undefined,
  candidates: readonly string[],
): readonly (string | undefined)[] {
  switch (target.kind) {
    case "same":
      return [path];
    case "fixed":
      return [target.path];
    case "mapped":
      return [];
    case "anywhere":
      return candidates;
    case "pattern":
      return candidates.filter((one) => target.regex.test(one));
  }
}

/** Conditions double what can be; most of it is the same. */
function withoutRepeats(live: readonly Live[]): Live[] {
  const seen = new Map<NginxDirective | undefined, Map<string, Live>>();
  for (const one of live) {
    const at = one.scope[0]?.directive;
    const { path, rewrittenBy } = one.request;
    const by = rewrittenBy && [rewrittenBy.file, rewrittenBy.line, ...rewrittenBy.args];
    const here = seen.get(at) ?? new Map<string, Live>();
    here.set(JSON.stringify([path, one.isChanged, by]), one);
    seen.set(at, here);
  }
  return [...seen.values()].flatMap((here) => [...here.values()]);
}
