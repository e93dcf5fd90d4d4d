import { REALTIME_PATH } from "../edge-policy.ts";
import type { Finding } from "./finding.ts";
import { INTERNAL_PATHS, REALTIME_TIMEOUT_SECONDS_MIN } from "./lint-policy.ts";
import { findHeader, type NginxContext, report, valuesFor } from "./nginx-context.ts";
import {
  findPlaceFor,
  findProxiedPlaces,
  findSetting,
  type NginxScope,
  type ProxiedPlace,
} from "./nginx-places.ts";
import type { NginxDirective } from "./nginx-tree.ts";
import { type NginxVariables, variablesIn } from "./nginx-values.ts";

/** What is true of a server: which paths it forwards, and how it opens websockets. */
export function lintServer(server: NginxScope, context: NginxContext): Finding[] {
  return [
    ...lintInternalPaths(server),
    ...lintRealtime(server, context),
    ...lintUpgrades(server, context),
  ];
}

function lintInternalPaths(server: NginxScope): Finding[] {
  const exposed = new Map<NginxDirective, string[]>();
  for (const path of INTERNAL_PATHS) {
    const place = findPlaceFor(server, path);
    if (place !== undefined) exposed.set(place.pass, [...(exposed.get(place.pass) ?? []), path]);
  }
  return [...exposed].map(([pass, paths]) => {
    const rest = paths.length > 1 ? ` and ${paths.length - 1} more that are not for browsers` : "";
    const message = `${paths[0]}${rest} can be reached through this`;
    const mend =
      "forward only the public routes, each by its own location, and return 404 from location /";
    return report(pass, "internal-route-exposed", message, mend);
  });
}

function lintRealtime(server: NginxScope, { variables }: NginxContext): Finding[] {
  const place = findPlaceFor(server, REALTIME_PATH);
  if (place === undefined) return [];
  const version = findSetting(place.scope, "proxy_http_version");
  const wanting = [
    ...(version?.args[0] === "1.1" ? [] : ["proxy_http_version 1.1;"]),
    ...(isUpgrade(place, "upgrade", variables) ? [] : ["proxy_set_header Upgrade $http_upgrade;"]),
    ...(isUpgrade(place, "connection", variables) ? [] : ["proxy_set_header Connection upgrade;"]),
  ];
  const timeout = findSetting(place.scope, "proxy_read_timeout");
  const seconds = timeout === undefined ? undefined : readSeconds(timeout.args[0] ?? "");
  const isShort = seconds !== undefined && seconds < REALTIME_TIMEOUT_SECONDS_MIN;
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
  const names = variablesIn(value);
  if (names.length === 0) return /upgrade|websocket/i.test(value);
  return names.some((one) => {
    const outputs = variables.get(one)?.outputs.map((output) => output.value) ?? [];
    return (
      /^http_(upgrade|connection)$/.test(one) ||
      outputs.some((text) => /upgrade|websocket/i.test(text))
    );
  });
}

function lintUpgrades(server: NginxScope, { variables }: NginxContext): Finding[] {
  const realtime = findPlaceFor(server, REALTIME_PATH)?.pass;
  return findProxiedPlaces(server)
    .filter((place) => place.pass !== realtime && isUpgrade(place, "upgrade", variables))
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

/** Reads a time as nginx writes it: "1m30s", "75s", "75". */
function readSeconds(text: string): number {
  const units = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 } as const;
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h|d)?/g)];
  return parts.reduce((sum, [, digits, unit]) => {
    const factor = Object.entries(units).find(([name]) => name === unit)?.[1] ?? 1;
    return sum + Number(digits) * factor;
  }, 0);
}
