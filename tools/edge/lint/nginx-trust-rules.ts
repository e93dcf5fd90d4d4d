import type { Finding } from "./finding.ts";
import { describeTopology, HEAD_BYTES_MAX } from "./lint-policy.ts";
import {
  FORWARDED_FOR_NAME,
  findHeader,
  type NginxContext,
  report,
  valuesFor,
} from "./nginx-context.ts";
import {
  allScopes,
  childrenNamed,
  isInside,
  type NginxScope,
  type ProxiedPlace,
} from "./nginx-places.ts";
import type { NginxDirective } from "./nginx-tree.ts";

/** Who may speak for clients, and whether that is the topology's idea. */
export function lintTrust({ root, topology, places }: NginxContext): Finding[] {
  const scopes = allScopes(root).filter((scope) => !isInside(scope, "stream"));
  const trusted = scopes.flatMap((scope) => childrenNamed(scope, "set_real_ip_from"));
  const headers = scopes.flatMap((scope) => childrenNamed(scope, "real_ip_header"));
  const [first] = trusted;
  const everyone = trusted
    .filter(({ args }) => /\/0$/.test(args[0] ?? ""))
    .map((at) => {
      const message = "every client is trusted to name its own address";
      return report(
        at,
        "trusts-everyone",
        message,
        "name the addresses that your CDN connects from",
      );
    });
  const viaProxyProtocol = headers.filter(({ args }) => args[0] === "proxy_protocol");
  const [place] = places;
  return [
    ...everyone,
    ...viaProxyProtocol.map(proxyProtocol),
    ...(first !== undefined && topology === "direct"
      ? [
          report(
            first,
            "topology-mismatch",
            `in topology direct ${describeTopology("direct")}; this believes a header instead`,
            "remove set_real_ip_from and real_ip_header, or choose topology cdn",
          ),
        ]
      : []),
    ...(first !== undefined && headers.length === 0
      ? [
          report(
            first,
            "real-ip-header-default",
            "without real_ip_header nginx reads X-Real-IP, which a CDN that does not set it passes on from the client",
            "real_ip_header X-Forwarded-For; or the header that your CDN sets",
          ),
        ]
      : []),
    ...(first === undefined && topology === "cdn" && place !== undefined && !isGuarded(place)
      ? [
          report(
            findHeader(place, FORWARDED_FOR_NAME) ?? place.pass,
            "topology-mismatch",
            "behind a CDN $remote_addr is the CDN's address, so all its clients are one",
            "set_real_ip_from <the CDN's addresses>; real_ip_header X-Forwarded-For;",
          ),
        ]
      : []),
  ];
}

function isGuarded(place: ProxiedPlace): boolean {
  const [value] = valuesFor(place.headers, FORWARDED_FOR_NAME);
  return value !== undefined && value !== "$remote_addr";
}

/** Settings that are wrong wherever they stand. */
export function lintSettings(scope: NginxScope): Finding[] {
  return (scope[0]?.children ?? []).flatMap((directive) => {
    const { name, args } = directive;
    if (isInside(scope, "stream")) {
      if (name === "proxy_protocol" && args[0] === "on") return [proxyProtocol(directive)];
      if (name !== "proxy_pass") return [];
      const message = "a stream is passed on as it is; the service sees this proxy as its client";
      return [report(directive, "tcp-mode", message, "proxy_pass from an http server instead")];
    }
    if (name === "listen" && args.includes("proxy_protocol")) return [proxyProtocol(directive)];
    if (name === "underscores_in_headers" && args[0] === "on") {
      return [
        oddHeaders(directive, "X_Forwarded_For passes for X-Forwarded-For with some readers"),
      ];
    }
    if (name === "ignore_invalid_headers" && args[0] === "off") {
      return [oddHeaders(directive, "names that are no header names reach the service")];
    }
    const bytes = /_header_buffers?(_size)?$/.test(name) ? readBytes(args.at(-1) ?? "") : 0;
    if (bytes <= HEAD_BYTES_MAX) return [];
    const message = `the services accept ${HEAD_BYTES_MAX} bytes for a whole head, so a longer line fails behind this proxy, as a 502`;
    return [
      report(directive, "header-limit-too-large", message, "large_client_header_buffers 4 4k;"),
    ];
  });
}

function oddHeaders(at: NginxDirective, message: string): Finding {
  const value = at.name === "underscores_in_headers" ? "off" : "on";
  return report(at, "odd-headers-passed", message, `${at.name} ${value};`);
}

function proxyProtocol(at: NginxDirective): Finding {
  const message =
    "with the PROXY protocol an address is whatever the first bytes of a connection say, and anybody who reaches this port can write them";
  return report(
    at,
    "proxy-protocol",
    message,
    "take the address from the connection, or from the CDN's header",
  );
}

function readBytes(text: string): number {
  const match = /^(\d+)([km]?)$/i.exec(text);
  const factor = { k: 1_024, m: 1_048_576 }[match?.[2]?.toLowerCase() ?? ""] ?? 1;
  return Number(match?.[1] ?? 0) * factor;
}
