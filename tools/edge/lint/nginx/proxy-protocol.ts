import type { Finding } from "../finding.ts";
import { FORWARDED_FOR_NAME, findHeader, type NginxContext, report, valuesFor } from "./context.ts";
import {
  childrenNamed,
  findServers,
  findSetting,
  findSettings,
  type NginxScope,
  type ProxiedPlace,
} from "./places.ts";
import { shapeOf } from "./values.ts";
import { variablesAt } from "./variables.ts";

/** Whether the address that a balancer announces is used, and from whom it is taken. */
export function lintProxyProtocol(context: NginxContext): Finding[] {
  return findServers(context.root).flatMap((server) => {
    const listens = childrenNamed(server, "listen");
    const listen = listens.find(({ args }) => args.includes("proxy_protocol"));
    const places = context.places.filter(({ scope }) => isIn(scope, server));
    if (listen === undefined) {
      return listens.length === 0 ? [] : places.flatMap((place) => lintUnannounced(place, context));
    }
    if (places.length === 0) return [];
    const isRestricted = findSettings(server, ["set_real_ip_from"]).length > 0;
    const header = findSetting(server, "real_ip_header")?.args[0];
    if (isRestricted && header === "proxy_protocol") return [];
    if (!places.every((place) => takesAnnounced(place, context))) {
      const message =
        "a balancer announces the client's address here, and the one of its own connection is forwarded instead, so all clients are one";
      const mend = "set_real_ip_from <the balancer's addresses>; real_ip_header proxy_protocol;";
      return [{ ...report(listen, "proxy-protocol", message, mend), severity: "error" as const }];
    }
    if (isRestricted || isLoopback(listen.args[0] ?? "")) return [];
    const message =
      "whoever reaches this port announces an address of its choice; nothing here says who the balancer is";
    const mend =
      "set_real_ip_from <the balancer's addresses>; real_ip_header proxy_protocol; and X-Forwarded-For $remote_addr, or a port that only the balancer reaches";
    return [report(listen, "proxy-protocol", message, mend)];
  });
}

/** Without the PROXY protocol nobody announces an address, and nginx sends no empty header. */
function lintUnannounced(place: ProxiedPlace, { variables }: NginxContext): Finding[] {
  const header = findHeader(place, FORWARDED_FOR_NAME);
  const shape = shapeOf(header?.args[1] ?? "", variablesAt(variables, place.scope));
  if (header === undefined || shape.kind !== "announced") return [];
  const message =
    "no listen of this server takes the PROXY protocol, so this is empty and names no client";
  const mend = "proxy_set_header X-Forwarded-For $remote_addr; or listen … proxy_protocol;";
  return [report(header, "missing-forwarded-for", message, mend)];
}

function isIn(scope: NginxScope, [block]: NginxScope): boolean {
  return scope.some(({ directive }) => directive === block?.directive);
}

function takesAnnounced({ headers, scope }: ProxiedPlace, { variables }: NginxContext): boolean {
  const here = variablesAt(variables, scope);
  return valuesFor(headers, FORWARDED_FOR_NAME).some((value) => {
    return ["announced", "unknown"].includes(shapeOf(value, here).kind);
  });
}

function isLoopback(address: string): boolean {
  return /^(127\.|\[::1\]|localhost|unix:)/.test(address);
}
