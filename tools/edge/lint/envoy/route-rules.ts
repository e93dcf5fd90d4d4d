import type { YAMLMap } from "yaml";
import { REALTIME_PATH } from "../../edge-policy.ts";
import type { Finding } from "../finding.ts";
import { INTERNAL_PATHS } from "../lint-policy.ts";
import type { EnvoyManager } from "./manager.ts";
import { type EnvoyRoute, findRoutes, rewritesTo } from "./routes.ts";
import { nodeOf, type Report, readMap, readMaps, readText } from "./yaml.ts";

/** What one host's routes forward that is not for browsers, and what websockets need. */
export function lintRoutes(
  manager: EnvoyManager,
  routes: readonly EnvoyRoute[],
  isOurs: (route: EnvoyRoute) => boolean,
  report: Report,
): Finding[] {
  const ours = routes.filter((route) => route.forwards && isOurs(route));
  return [
    ...lintExposure(routes, isOurs, report),
    ...lintRewrites(ours, report),
    ...lintNormalisation(manager, ours, report),
    ...lintUpgrade(manager, routes, isOurs, report),
  ];
}

function lintExposure(
  routes: readonly EnvoyRoute[],
  isOurs: (route: EnvoyRoute) => boolean,
  report: Report,
): Finding[] {
  const exposing = new Map<YAMLMap, string[]>();
  for (const path of INTERNAL_PATHS) {
    for (const route of findRoutes(routes, path)) {
      const { node, forwards } = route;
      if (forwards && isOurs(route)) exposing.set(node, [...(exposing.get(node) ?? []), path]);
    }
  }
  return [...exposing].map(([node, paths]) => {
    const rest = paths.length > 1 ? ` and ${paths.length - 1} more that are not for browsers` : "";
    const message = `${paths[0]}${rest} can be reached through this route`;
    const mend = "match only the public routes, each by its own path";
    return report(node, "internal-route-exposed", message, mend);
  });
}

function lintRewrites(routes: readonly EnvoyRoute[], report: Report): Finding[] {
  return routes.flatMap(({ node }) => {
    const path = INTERNAL_PATHS.find((one) => rewritesTo(node, one));
    if (path === undefined) return [];
    const message = `the path that this route makes can be ${path}, and nothing behind it refuses that`;
    const mend = "forward the path as it was matched";
    return [report(node, "internal-route-exposed", message, mend)];
  });
}

function lintNormalisation(
  manager: EnvoyManager,
  routes: readonly EnvoyRoute[],
  report: Report,
): Finding[] {
  const isPlain = readText(manager.node, "normalize_path") === "true";
  if (isPlain || !routes.some(({ forwards }) => forwards)) return [];
  const message =
    'a path is matched as it was spelled, so with "/../" in it another is reached than the route allows';
  const at = nodeOf(manager.node, "normalize_path");
  return [report(at, "internal-route-exposed", message, "normalize_path: true")];
}

function lintUpgrade(
  manager: EnvoyManager,
  routes: readonly EnvoyRoute[],
  isOurs: (route: EnvoyRoute) => boolean,
  report: Report,
): Finding[] {
  const realtime = findRoutes(routes, REALTIME_PATH)[0];
  if (realtime?.forwards !== true || !isOurs(realtime)) return [];
  if (upgrades(readMap(realtime.node, "route")) || upgrades(manager.node)) return [];
  const message = `${REALTIME_PATH} is forwarded here, but Envoy refuses upgrades that it was not told of`;
  const mend = "upgrade_configs: [{ upgrade_type: websocket }] under route";
  return [report(realtime.node, "upgrade-missing", message, mend)];
}

function upgrades(map: YAMLMap | undefined): boolean {
  return readMaps(map, "upgrade_configs").some((upgrade) => {
    const isWebsocket = readText(upgrade, "upgrade_type").toLowerCase() === "websocket";
    return isWebsocket && readText(upgrade, "enabled") !== "false";
  });
}
