import { REALTIME_PATH } from "../../edge-policy.ts";
import type { Finding } from "../finding.ts";
import { REALTIME_TIMEOUT_SECONDS_MIN } from "../lint-policy.ts";
import { mayBeGateway } from "../our-upstreams.ts";
import { findHeader, type NginxContext, report, valuesFor } from "./context.ts";
import {
  allScopes,
  findPasses,
  findProxiedPlaces,
  findSetting,
  type NginxScope,
  type ProxiedPlace,
  placeOf,
} from "./places.ts";
import { type Arrival, findArrivals, findExposed } from "./routes.ts";
import type { NginxDirective } from "./tree.ts";
import { followValue, type NginxVariables, variablesAt } from "./variables.ts";

/** What is true of a server: which paths it forwards, and how it opens websockets. */
export function lintServer(server: NginxScope, context: NginxContext): Finding[] {
  const { variables, ours, addressesOf } = context;
  // Without any service of ours, these are another application's routes.
  if (!ours.isAnyKnown) return [];
  // Requests stay within a server: one that forwards nothing to us is another application's.
  const leads = allScopes(server).some((scope) => {
    return findPasses(scope).some((pass) => ours.isAmong(addressesOf(pass, scope)));
  });
  if (!leads) return [];
  const reached = ({ pass, scope }: Arrival) => addressesOf(pass, scope);
  const arrivals = findArrivals(server, variables).filter((one) => ours.isAmong(reached(one)));
  const realtime = arrivals.filter((arrival) => {
    return arrival.path === REALTIME_PATH && mayBeGateway(reached(arrival));
  });
  const places = new Map(realtime.map(({ pass, scope }) => [pass, placeOf(scope, pass)]));
  return [
    ...lintExposure(arrivals),
    ...[...places.values()].flatMap((place) => (place ? lintRealtime(place, variables) : [])),
    ...lintUpgrades(server, new Set(places.keys()), context),
  ];
}

function lintExposure(arrivals: readonly Arrival[]): Finding[] {
  const exposed = new Map<NginxDirective, string[]>();
  for (const { through, path } of findExposed(arrivals)) {
    exposed.set(through, [...(exposed.get(through) ?? []), path]);
  }
  return [...exposed].map(([through, paths]) => {
    const rest = paths.length > 1 ? ` and ${paths.length - 1} more that are not for browsers` : "";
    const message = `${paths[0]}${rest} can be reached through this`;
    const mend =
      "forward only the public routes, each by its own location, and return 404 from location /";
    return report(through, "internal-route-exposed", message, mend);
  });
}

function lintRealtime(place: ProxiedPlace, all: NginxVariables): Finding[] {
  const variables = variablesAt(all, place.scope);
  const version = findSetting(place.scope, "proxy_http_version");
  const wanting = [
    ...(version?.args[0] === "1.1" ? [] : ["proxy_http_version 1.1;"]),
    ...(isUpgrade(place, "upgrade", variables) ? [] : ["proxy_set_header Upgrade $http_upgrade;"]),
    ...(isUpgrade(place, "connection", variables) ? [] : ["proxy_set_header Connection upgrade;"]),
  ];
  const timeout = findSetting(place.scope, "proxy_read_timeout");
  const seconds = timeout === undefined ? undefined : readSeconds(timeout.args[0] ?? "");
  const isShort = timeout !== undefined && (seconds ?? 0) < REALTIME_TIMEOUT_SECONDS_MIN;
  return [
    ...(wanting.length === 0
      ? []
      : [
          report(
            place.pass,
            "upgrade-missing",
            `${REALTIME_PATH} is forwarded here without what an upgrade needs, so no websocket opens`,
            wanting.join(" "),
          ),
        ]),
    ...(timeout !== undefined && isShort
      ? [
          report(
            timeout,
            "realtime-timeout-short",
            `a websocket that is silent for ${timeout.args[0]} is cut; the gateway pings every 25 s, and one ping may get lost`,
            "proxy_read_timeout 75s; for this location",
          ),
        ]
      : []),
  ];
}

/** Whether the header is set to something that can open a websocket. */
function isUpgrade(place: ProxiedPlace, name: string, variables: NginxVariables): boolean {
  const [value] = valuesFor(place.headers, name);
  if (value === undefined || value === "") return false;
  const { names, texts } = followValue(value, variables);
  return (
    names.has("http_upgrade") ||
    names.has("http_connection") ||
    [...texts].some((text) => /^[^$]*(upgrade|websocket)[^$]*$/i.test(text))
  );
}

function lintUpgrades(
  server: NginxScope,
  realtime: ReadonlySet<NginxDirective>,
  { variables, ours, addressesOf }: NginxContext,
): Finding[] {
  return findProxiedPlaces(server)
    .filter((place) => !realtime.has(place.pass))
    .filter(({ pass, scope }) => ours.isAmong(addressesOf(pass, scope)))
    .filter((place) => isUpgrade(place, "upgrade", variablesAt(variables, place.scope)))
    .map((place) => {
      const at = findHeader(place, "upgrade") ?? place.pass;
      const message = `only ${REALTIME_PATH} has a websocket; elsewhere an upgrade is a tunnel past everything this proxy checks`;
      return report(
        at,
        "upgrade-everywhere",
        message,
        'proxy_set_header Upgrade ""; outside of that location',
      );
    });
}

/** The units of nginx; without one it counts seconds. */
const SECONDS_BY_UNIT: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 604_800,
  M: 2_592_000,
  y: 31_536_000,
};

/** Reads a time as nginx writes it: "1m30s", "75s", "75"; undefined where it cannot be read. */
function readSeconds(text: string): number | undefined {
  if (text === "" || text.replace(/\d+(ms|[smhdwMy])?\s*/g, "") !== "") return undefined;
  const parts = [...text.matchAll(/(\d+)(ms|[smhdwMy])?/g)];
  return parts.reduce((sum, [, digits, unit = "s"]) => {
    return sum + Number(digits) * (SECONDS_BY_UNIT[unit] ?? 1);
  }, 0);
}
