import { FOREIGN_PATHS, findOurUpstreams, OUR_PATHS, type OurUpstreams } from "../our-upstreams.ts";
import { clustersOf, type EnvoyCluster } from "./clusters.ts";
import type { EnvoyManager } from "./manager.ts";
import { type EnvoyRoute, readHosts, takesPath } from "./routes.ts";
import { readMap } from "./yaml.ts";

/** Where a route forwards to: its clusters' endpoints, or the names of those that are elsewhere. */
export function addressesOf({ node }: EnvoyRoute, clusters: readonly EnvoyCluster[]): string[] {
  return clustersOf(readMap(node, "route")).flatMap((name) => {
    const endpoints = clusters.find((one) => one.name === name)?.endpoints ?? [];
    return [name, ...endpoints.map(({ address }) => address)];
  });
}

/** Finds which clusters of a configuration are services of ours. */
export function readOurUpstreams(
  managers: readonly EnvoyManager[],
  clusters: readonly EnvoyCluster[],
  named: readonly string[],
): OurUpstreams {
  const routes = managers.flatMap(({ node }) => {
    const config = readMap(node, "route_config");
    return config === undefined ? [] : readHosts(config).flat();
  });
  const isRouted = ({ node }: EnvoyRoute) => {
    const takes = (path: string) => takesPath(node, path) !== "no";
    return OUR_PATHS.some(takes) && !FOREIGN_PATHS.some(takes);
  };
  return findOurUpstreams({
    all: routes.flatMap((route) => addressesOf(route, clusters)),
    routed: routes.filter(isRouted).flatMap((route) => addressesOf(route, clusters)),
    named,
  });
}
