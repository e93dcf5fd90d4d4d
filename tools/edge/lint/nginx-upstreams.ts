import { isRegexLocation, type LocationMatch, readLocation } from "./nginx-locations.ts";
import { matchesPath, readNginxPattern } from "./nginx-pattern.ts";
import { allScopes, childrenNamed, findPasses, type NginxScope } from "./nginx-places.ts";
import type { NginxDirective } from "./nginx-tree.ts";
import { followValue, type NginxVariables, variablesAt } from "./nginx-variables.ts";
import {
  FOREIGN_PATHS,
  findOurUpstreams,
  namesOurs,
  OUR_PATHS,
  type OurUpstreams,
} from "./our-upstreams.ts";

/** Finds which upstreams of a configuration are services of ours. */
export function readOurUpstreams(
  root: NginxScope,
  variables: NginxVariables,
  named: readonly string[],
): OurUpstreams {
  const passes = allScopes(root).flatMap((scope) => {
    return findPasses(scope).map((pass) => ({ pass, scope }));
  });
  const addresses = passes.map(({ pass, scope }) => {
    return { scope, found: addressesOf(pass, scope, root, variables) };
  });
  const isRouted = (scope: NginxScope) => {
    return scope.some(({ directive }) => {
      return directive?.name === "location" && takesOurs(readLocation(directive));
    });
  };
  return findOurUpstreams({
    all: addresses.flatMap(({ found }) => found),
    routed: addresses.filter(({ scope }) => isRouted(scope)).flatMap(({ found }) => found),
    named,
  });
}

/** Whether a location is made for paths of ours, and does not take them among everything else. */
function takesOurs(match: LocationMatch): boolean {
  if (match.modifier === "@") return false;
  if (namesOurs(match.pattern)) return true;
  const regex = readNginxPattern(match.pattern, match.modifier === "~*");
  const takes = (path: string) => {
    if (isRegexLocation(match)) return matchesPath(regex, path) === "yes";
    return match.modifier === "=" ? path === match.pattern : path.startsWith(match.pattern);
  };
  return OUR_PATHS.some(takes) && !FOREIGN_PATHS.some(takes);
}

/** The hosts and ports that a directive forwards to; none where the configuration does not say. */
export function addressesOf(
  pass: NginxDirective,
  scope: NginxScope,
  root: NginxScope,
  variables: NginxVariables,
): string[] {
  const { texts } = followValue(pass.args[0] ?? "", variablesAt(variables, scope));
  const hosts = [...texts].map((text) => text.replace(/^[a-z]+:\/\//, "").replace(/[/?].*$/, ""));
  const plain = hosts.filter((host) => host !== "" && !host.includes("$"));
  return plain.flatMap((host) => {
    const servers = serversOf(host, root);
    return servers.length > 0 ? servers : [host];
  });
}

function serversOf(name: string, root: NginxScope): string[] {
  return allScopes(root)
    .filter(([block]) => block?.directive?.name === "upstream")
    .filter(([block]) => block?.directive?.args[0] === name)
    .flatMap((scope) => childrenNamed(scope, "server").map(({ args }) => args[0] ?? ""));
}
