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
import { shapeOf } from "./nginx-values.ts";
import { type NginxVariables, variablesAt } from "./nginx-variables.ts";
import { holdsStrangers } from "./wide-range.ts";

/** Who may speak for clients, and whether that is the topology's idea. */
export function lintTrust({ root, topology, places, variables }: NginxContext): Finding[] {
  const scopes = allScopes(root).filter((scope) => !isInside(scope, "stream"));
  const trusted = scopes.flatMap((scope) => childrenNamed(scope, "set_real_ip_from"));
  const headers = scopes.flatMap((scope) => childrenNamed(scope, "real_ip_header"));
  const [first] = trusted;
  const everyone = trusted
    .filter(({ args }) => holdsStrangers(args[0] ?? ""))
    .map((at) => {
      const message = "clients are trusted to name their own address, all or a great part of them";
      return report(
        at,
        "trusts-everyone",
        message,
        "name the addresses that your CDN connects from",
      );
    });
  const viaProxyProtocol = headers.filter(({ args }) => args[0] === "proxy_protocol");
  const recursive = scopes.flatMap((scope) => childrenNamed(scope, "real_ip_recursive"));
  const place = places.find((one) => takesConnection(one, variables));
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
    ...(first !== undefined && topology !== "direct"
      ? recursive.filter(({ args }) => args[0] === "on").map(stepsOver)
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
    ...(first === undefined && topology === "cdn" && place !== undefined
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

function stepsOver(at: NginxDirective): Finding {
  const message =
    "this steps over entries in the CDN's own ranges, so whoever can send requests from the CDN chooses the next entry, and with it the address";
  return report(at, "topology-mismatch", message, "real_ip_recursive off;");
}

function takesConnection({ headers, scope }: ProxiedPlace, variables: NginxVariables): boolean {
  const [value] = valuesFor(headers, FORWARDED_FOR_NAME);
  const here = variablesAt(variables, scope);
  return value === undefined || shapeOf(value, here).kind === "peer";
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
    if (SCRIPTS.test(name)) {
      const message =
        "what this does with requests cannot be followed: it may forward any path, with any header";
      const mend = "do it with nginx' own directives, or let this file answer nothing but scripts";
      return [report(directive, "not-followed", message, mend)];
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
    // Written or not, nginx' own limit is the same.
    if (name === "large_client_header_buffers" && args.join(" ") === "4 8k") return [];
    const bytes = /_header_buffers?(_size)?$/.test(name) ? readHeadBytes(args) : 0;
    if (bytes <= HEAD_BYTES_MAX || measuresHeads(scope)) return [];
    const message = `the services accept ${HEAD_BYTES_MAX} bytes for a whole head, and this lets ${bytes} through, so a longer one fails behind this proxy, as a 502`;
    return [
      report(directive, "header-limit-too-large", message, "large_client_header_buffers 4 4k;"),
    ];
  });
}

/** Whether something is chosen by how long a head was, so that one too long can be answered here. */
function measuresHeads(scope: NginxScope): boolean {
  return childrenNamed(scope, "map").some(({ args }) => args[0] === "$request_length");
}

/** What another language does with requests, in the phases that choose where they go. */
const SCRIPTS = /^((server_)?rewrite|access|precontent|content)_by_lua|^(js_content|perl)$/;

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

/** What the buffers hold together: their number, where there is one, and the size of each. */
function readHeadBytes(args: readonly string[]): number {
  const [first = "", second] = args;
  return second === undefined ? readBytes(first) : Number(first) * readBytes(second);
}

function readBytes(text: string): number {
  const match = /^(\d+)([km]?)$/i.exec(text);
  const factor = { k: 1_024, m: 1_048_576 }[match?.[2]?.toLowerCase() ?? ""] ?? 1;
  return Number(match?.[1] ?? 0) * factor;
}
