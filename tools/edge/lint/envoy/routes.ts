import { isMap, type YAMLMap } from "yaml";
import { matchesPattern } from "../portable-regex.ts";
import { canLeadTo } from "../rewritten-path.ts";
import { anyOf, type Truth, truthOf } from "../truth.ts";
import { readMap, readMaps, readText } from "./yaml.ts";

/** A route, and the maps whose header rules apply to it, in the order in which they do. */
export type EnvoyRoute = {
  node: YAMLMap;
  forwards: boolean;
  levels: readonly (readonly YAMLMap[])[];
};

/** The routes of one host, in the order in which they are tried. */
export function readHosts(routeConfig: YAMLMap): EnvoyRoute[][] {
  const isSpecificLast = readText(routeConfig, "most_specific_header_mutations_wins") === "true";
  return readMaps(routeConfig, "virtual_hosts").map((host) => {
    return readMaps(host, "routes").map((node) => {
      const levels = [node, host, routeConfig];
      const weighted = readMaps(
        readMap(readMap(node, "route"), "weighted_clusters"),
        "clusters",
      ).map((cluster) => [cluster, ...levels]);
      const all = weighted.length === 0 ? [levels] : weighted;
      return {
        node,
        forwards: node.has("route"),
        levels: all.map((one) => (isSpecificLast ? one.toReversed() : one)),
      };
    });
  });
}

/** The routes that may take a path: all up to the first that certainly does. */
export function findRoutes(routes: readonly EnvoyRoute[], path: string): EnvoyRoute[] {
  const truths = routes.map(({ node }) => takesPath(node, path));
  const certain = truths.indexOf("yes");
  return routes.filter((_, index) => {
    return truths[index] !== "no" && (certain < 0 || index <= certain);
  });
}

/** Everything in a match that looks at something else than the path. */
const OTHER_CONDITIONS = [
  "headers",
  "query_parameters",
  "grpc",
  "tls_context",
  "runtime_fraction",
  "dynamic_metadata",
  "filter_state",
  "cookies",
];

/** Whether a route takes a path. */
export function takesPath(route: YAMLMap, path: string): Truth {
  const match = readMap(route, "match");
  if (match === undefined) return "maybe";
  const truth = anyOf(readPathTests(match).map((test) => test(path)));
  const isConditional = OTHER_CONDITIONS.some((condition) => match.has(condition));
  return truth === "yes" && isConditional ? "maybe" : truth;
}

type PathTest = (path: string) => Truth;

function readPathTests(match: YAMLMap): PathTest[] {
  const ignoresCase = readText(match, "case_sensitive") === "false";
  const fold = (text: string) => (ignoresCase ? text.toLowerCase() : text);
  const regex = match.get("safe_regex");
  if (isMap(regex)) return [(path) => matchesWhole(readText(regex, "regex"), path)];
  const exact = fold(readText(match, "path"));
  if (exact !== "") return [(path) => truthOf(fold(path) === exact)];
  const prefix = fold(readText(match, "prefix"));
  if (prefix !== "") return [(path) => truthOf(fold(path).startsWith(prefix))];
  const parent = fold(readText(match, "path_separated_prefix"));
  // Templates and what else Envoy may learn can match anything.
  if (parent === "") return [() => "maybe"];
  return [(path) => truthOf(fold(path) === parent || fold(path).startsWith(`${parent}/`))];
}

/** Envoy's pattern must match all of the path. */
function matchesWhole(pattern: string, path: string): Truth {
  const flag = pattern.startsWith("(?i)") ? "(?i)" : "";
  return matchesPattern(`${flag}^(?:${pattern.slice(flag.length)})$`, path, false);
}

/** Whether a route forwards another path than the one it matched, and that can be this one. */
export function rewritesTo(route: YAMLMap, path: string): boolean {
  const action = readMap(route, "route");
  if (action === undefined) return false;
  const isWhole = readText(readMap(route, "match") ?? route, "path") !== "";
  const prefix = readText(action, "prefix_rewrite");
  if (prefix !== "") return canLeadTo({ prefix, isWhole }, path);
  const regex = readMap(action, "regex_rewrite");
  if (regex !== undefined) {
    const isFromStart = readText(readMap(regex, "pattern") ?? regex, "regex").startsWith("^");
    const [literal = ""] = readText(regex, "substitution").split("\\", 1);
    return canLeadTo({ prefix: isFromStart ? literal : "", isWhole: false }, path);
  }
  return action.has("path_rewrite") || action.has("path_rewrite_policy");
}
