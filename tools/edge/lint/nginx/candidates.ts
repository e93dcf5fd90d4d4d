import { INTERNAL_PATHS, isPublicInAnyCase } from "../lint-policy.ts";
import { samplesOf } from "../pattern-samples.ts";
import { isRegexLocation, type LocationMatch, locationAround, readLocation } from "./locations.ts";
import { matchesPath, readNginxPattern } from "./pattern.ts";
import { findPasses, type NginxScope } from "./places.ts";
import { readTargets } from "./targets.ts";
import type { NginxVariables } from "./variables.ts";

/** The paths that show what a location takes, and what its proxy_pass makes of them. */
export function candidatesOf(scope: NginxScope, variables: NginxVariables): string[] {
  const directive = scope[0]?.directive;
  if (directive === undefined) return [];
  const match = readLocation(directive);
  if (match.modifier === "@") return [];
  if (isRegexLocation(match)) return samplesFor(match, locationAround(scope.slice(1)));
  const mapped = findPasses(scope).flatMap((pass) => {
    const world = { variables, groups: [], asked: undefined, path: undefined };
    return readTargets(pass, scope, world).flatMap((target) => {
      if (target.kind !== "mapped") return [];
      const reached = INTERNAL_PATHS.filter((path) => path.startsWith(target.prefix));
      return reached.map((path) => `${match.pattern}${path.slice(target.prefix.length)}`);
    });
  });
  return [match.pattern, ...(match.modifier === "=" ? [] : mapped)];
}

/** Paths that a regular expression takes, at the start and inside of the location around it. */
function samplesFor({ modifier, pattern }: LocationMatch, around: LocationMatch | undefined) {
  const ignoresCase = modifier === "~*" || pattern.startsWith("(?i)");
  const regex = readNginxPattern(pattern, ignoresCase);
  const before = around === undefined || isRegexLocation(around) ? "/" : around.pattern;
  const samples = samplesOf(pattern);
  const inside = samples.map((sample) => `${before}${sample.slice(1)}`);
  return [...samples, ...inside].filter((sample) => {
    // What ignores case may be written in another case than the route that it is meant for.
    const isMeant = ignoresCase && isPublicInAnyCase(sample);
    return matchesPath(regex, sample) === "yes" && !isMeant;
  });
}
