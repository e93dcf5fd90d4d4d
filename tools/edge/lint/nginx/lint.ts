import type { Topology } from "../../edge-config.ts";
import type { Finding } from "../finding.ts";
import { type Linted, type LintOptions, NONE_OF_OURS } from "../linted.ts";
import { lintNginxPorts } from "../private-port-rules.ts";
import { FORWARDED_FOR_NAME, type NginxContext, valuesFor } from "./context.ts";
import { lintPlace } from "./identity-rules.ts";
import {
  allScopes,
  childrenNamed,
  findProxiedPlaces,
  findServers,
  isInside,
  type NginxScope,
  type ProxiedPlace,
  rootScope,
} from "./places.ts";
import { lintServer } from "./route-rules.ts";
import type { NginxTree } from "./tree.ts";
import { lintSettings, lintTrust } from "./trust-rules.ts";
import { createAddressReader, readOurUpstreams } from "./upstreams.ts";
import { shapeOf } from "./values.ts";
import { type NginxVariables, readNginxVariables, variablesAt } from "./variables.ts";

/** Finds every trap in one nginx configuration; without a topology, in the one it seems to mean. */
export function lintNginx(tree: NginxTree, { topology: given, upstreams }: LintOptions): Linted {
  const root = rootScope(tree.directives);
  const variables = readNginxVariables(tree.directives);
  const addressesOf = createAddressReader(root, variables);
  const ours = readOurUpstreams(root, addressesOf, upstreams);
  const all = findProxiedPlaces(root);
  const places = all.filter(({ pass, scope }) => {
    return !ours.isAnyKnown || ours.isAmong(addressesOf(pass, scope));
  });
  const topology = given ?? inferTopology(root, places, variables);
  const context = { root, variables, places, topology, ours, addressesOf };
  const servers = findServers(root);
  const streams = allScopes(root).filter((scope) => isInside(scope, "stream"));
  const isRead = all.length > 0 || servers.some(isServer) || streams.some(forwards);
  return {
    findings: findAll(tree, context, servers, (place) => {
      // Services of ours have one topology; other applications have each their own.
      return ours.isAnyKnown ? topology : (given ?? inferTopology(root, [place], variables));
    }),
    topology,
    read: isRead ? "all" : "nothing",
    notes: [
      ...(all.length > 0 && !ours.isAnyKnown ? [NONE_OF_OURS] : []),
      ...(isRead ? [] : tree.empty.map(describeEmpty)),
    ],
  };
}

function describeEmpty({ line, pattern }: NginxTree["empty"][number]): string {
  return `the include of line ${line}, ${pattern}, matches no file here`;
}

/** What a server block is known by; other languages have blocks of that name as well. */
const SERVER_DIRECTIVES = /^(listen|server_name|location|return|root|\w+_pass)$/;

function isServer(scope: NginxScope): boolean {
  return (scope[0]?.children ?? []).some(({ name }) => SERVER_DIRECTIVES.test(name));
}

function forwards(scope: NginxScope): boolean {
  return childrenNamed(scope, "proxy_pass").length > 0;
}

function findAll(
  tree: NginxTree,
  context: NginxContext,
  servers: readonly NginxScope[],
  topologyOf: (place: ProxiedPlace) => Topology,
): Finding[] {
  const { root, places, ours } = context;
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
    ...places.flatMap((place) => {
      const own = { ...context, topology: topologyOf(place) };
      return lintPlace(place, own).map((one) => ({ ...one, place: nameOf(place) }));
    }),
    ...servers.flatMap((server) => lintServer(server, context)),
    ...lintTrust(context),
    ...allScopes(root).flatMap((scope) => lintSettings(scope, context)),
    ...lintNginxPorts(tree.directives, ours),
  ];
}

/** Two places can be one line of a file that both include: what stands around tells them apart. */
function nameOf({ pass, scope }: ProxiedPlace): string {
  const around = [pass, ...scope.flatMap(({ directive }) => directive ?? [])];
  return around.map(({ file, line }) => `${file}:${line}`).join(" ");
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
