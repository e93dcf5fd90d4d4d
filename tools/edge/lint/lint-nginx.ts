import type { Topology } from "../edge-config.ts";
import type { Finding } from "./finding.ts";
import { FORWARDED_FOR_NAME, valuesFor } from "./nginx-context.ts";
import { lintPlace } from "./nginx-identity-rules.ts";
import {
  allScopes,
  childrenNamed,
  findProxiedPlaces,
  findServers,
  type NginxScope,
  type ProxiedPlace,
  rootScope,
} from "./nginx-places.ts";
import { lintServer } from "./nginx-route-rules.ts";
import type { NginxTree } from "./nginx-tree.ts";
import { lintSettings, lintTrust } from "./nginx-trust-rules.ts";
import { shapeOf } from "./nginx-values.ts";
import { type NginxVariables, readNginxVariables, variablesAt } from "./nginx-variables.ts";
import { lintNginxPorts } from "./private-port-rules.ts";

/** Finds every trap in one nginx configuration; without a topology, in the one it seems to mean. */
export function lintNginx(tree: NginxTree, given: Topology | undefined): Finding[] {
  const root = rootScope(tree.directives);
  const variables = readNginxVariables(tree.directives);
  const places = findProxiedPlaces(root);
  const topology = given ?? inferTopology(root, places, variables);
  const context = { root, variables, places, topology };
  return [
    ...tree.problems.map(({ file, line, text }) => ({
      ...{ file, line, rule: "syntax" as const, message: text },
      mend: 'end every directive with ";" and close every block and quote',
    })),
    ...tree.unread.map(({ file, line, text }) => ({
      ...{ file, line, rule: "include-not-read" as const },
      message: `${text} could not be read, so nothing is known of what it configures`,
      mend: "lint where the included files are, or correct the path",
    })),
    ...places.flatMap((place) => lintPlace(place, context)),
    ...findServers(root).flatMap((server) => lintServer(server, context)),
    ...lintTrust(context),
    ...allScopes(root).flatMap(lintSettings),
    ...lintNginxPorts(tree.directives),
  ];
}

function inferTopology(
  root: NginxScope,
  places: readonly ProxiedPlace[],
  variables: NginxVariables,
): Topology {
  const shapes = places.flatMap(({ headers, scope }) => {
    const here = variablesAt(variables, scope);
    return valuesFor(headers, FORWARDED_FOR_NAME).map((value) => shapeOf(value, here));
  });
  const guarded = shapes.flatMap((shape) => (shape.kind === "guarded" ? [shape.trusted.kind] : []));
  if (guarded.includes("appended")) return "cdn-append";
  const resolves = allScopes(root).some((one) => childrenNamed(one, "set_real_ip_from").length > 0);
  return resolves || guarded.length > 0 ? "cdn" : "direct";
}
