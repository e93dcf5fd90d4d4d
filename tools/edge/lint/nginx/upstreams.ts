import {
  FOREIGN_PATHS,
  findOurUpstreams,
  namesOurs,
  OUR_PATHS,
  type OurUpstreams,
} from "../our-upstreams.ts";
import { isRegexLocation, type LocationMatch, readLocation } from "./locations.ts";
import { matchesPath, readNginxPattern } from "./pattern.ts";
import { allScopes, childrenNamed, findPasses, type NginxScope } from "./places.ts";
import type { NginxDirective } from "./tree.ts";
import { followValue, type NginxVariables, variablesAt } from "./variables.ts";

/** Finds which upstreams of a configuration are services of ours. */
export function readOurUpstreams(
  root: NginxScope,
  addressesOf: AddressesOf,
  named: readonly string[],
): OurUpstreams {
  const passes = allScopes(root).flatMap((scope) => {
    return findPasses(scope).map((pass) => ({ pass, scope }));
  });
  const addresses = passes.map(({ pass, scope }) => {
    return { pass, scope, found: addressesOf(pass, scope) };
  });
  const isRouted = (scope: NginxScope) => {
    return scope.some(({ directive }) => {
      return directive?.name === "location" && takesOurs(readLocation(directive));
    });
  };
  return findOurUpstreams({
    all: addresses.flatMap(({ found }) => found),
    // The name of an upstream says as much as that of a host.
    routed: addresses
      .filter(({ pass, scope }) => isRouted(scope) || namesOurs(pass.args[0] ?? ""))
      .flatMap(({ found }) => found),
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

/** Answers the hosts and ports that a directive forwards to; none where nothing here says. */
export type AddressesOf = (pass: NginxDirective, scope: NginxScope) => readonly string[];

/** Reads the addresses of a configuration; each place is asked about often, and read once. */
export function createAddressReader(root: NginxScope, variables: NginxVariables): AddressesOf {
  const upstreams = new Map<string, string[]>();
  for (const scope of allScopes(root)) {
    const { name, args } = scope[0]?.directive ?? { name: "", args: [] };
    if (name !== "upstream") continue;
    const servers = childrenNamed(scope, "server").map((server) => server.args[0] ?? "");
    upstreams.set(args[0] ?? "", servers);
  }
  const read = new Map<NginxDirective, readonly string[]>();
  return (pass, scope) => {
    const known = read.get(pass);
    if (known !== undefined) return known;
    const { texts } = followValue(pass.args[0] ?? "", variablesAt(variables, scope));
    const hosts = [...texts].map((text) => text.replace(/^[a-z]+:\/\//, "").replace(/[/?].*$/, ""));
    const plain = hosts.filter((host) => host !== "" && !host.includes("$"));
    const addresses = plain.flatMap((host) => upstreams.get(host) ?? [host]);
    read.set(pass, addresses);
    return addresses;
  };
}
