import type { Finding } from "../finding.ts";
import { describeTopology, HEAD_BYTES_MAX } from "../lint-policy.ts";
import { classifyRange, describeStrangers } from "../trusted-range.ts";
import { FORWARDED_FOR_NAME, findHeader, type NginxContext, report, valuesFor } from "./context.ts";
import {
  allScopes,
  childrenNamed,
  findSetting,
  isInside,
  type NginxScope,
  type ProxiedPlace,
} from "./places.ts";
import { lintProxyProtocol } from "./proxy-protocol.ts";
import type { NginxDirective } from "./tree.ts";
import { shapeOf } from "./values.ts";
import { followSources, type NginxVariables, variablesAt } from "./variables.ts";

/** Who may speak for clients, and whether that is the topology's idea. */
export function lintTrust(context: NginxContext): Finding[] {
  const { root, topology, places, variables } = context;
  const scopes = allScopes(root).filter((scope) => !isInside(scope, "stream"));
  const trusted = scopes.flatMap((scope) => childrenNamed(scope, "set_real_ip_from"));
  const headers = scopes.flatMap((scope) => childrenNamed(scope, "real_ip_header"));
  const [first] = trusted;
  const ranges = [
    ...trusted.map((at) => ({ at, range: at.args[0] ?? "" })),
    ...guardingRanges(context),
  ];
  const everyone = ranges.flatMap(({ at, range }) => {
    const message = describeStrangers(range);
    const mend = "name the addresses that your CDN or balancer connects from";
    return message === undefined ? [] : [report(at, "trusts-everyone", message, mend)];
  });
  const isAnnounced = headers.some(({ args }) => args[0] === "proxy_protocol");
  // From private networks alone nobody steps over anything.
  const isPublic = trusted.some(({ args }) => classifyRange(args[0] ?? "") !== "private");
  const recursive = scopes.flatMap((scope) => childrenNamed(scope, "real_ip_recursive"));
  const place = places.find((one) => takesConnection(one, variables));
  return [
    ...everyone,
    ...lintProxyProtocol(context),
    // An address that a balancer announces is the client's, and no header says it.
    ...(first !== undefined && topology === "direct" && !isAnnounced
      ? [
          report(
            first,
            "topology-mismatch",
            `in topology direct ${describeTopology("direct")}; this believes a header instead`,
            "remove set_real_ip_from and real_ip_header, or choose topology cdn",
          ),
        ]
      : []),
    ...(isPublic && topology !== "direct" && !isAnnounced
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

/** The ranges of a geo by which X-Forwarded-For is chosen for some peers. */
function guardingRanges({ root, places, variables }: NginxContext) {
  const chosen = new Set(
    places.flatMap(({ headers, scope }) => {
      const here = variablesAt(variables, scope);
      return valuesFor(headers, FORWARDED_FOR_NAME)
        .filter((value) => shapeOf(value, here).kind === "guarded")
        .flatMap((value) => [...followSources(value, here)]);
    }),
  );
  const geos = allScopes(root).flatMap((scope) => childrenNamed(scope, "geo"));
  return geos
    .filter(({ args }) => chosen.has((args.at(-1) ?? "").replace("$", "")))
    .flatMap(({ block }) => block ?? [])
    .filter(({ name, args }) => name !== "default" && !["", "0"].includes(args[0] ?? ""))
    .map((at) => ({ at, range: at.name }));
}

/** Settings that are wrong wherever they stand. */
export function lintSettings(scope: NginxScope, { addressesOf, ours }: NginxContext): Finding[] {
  return (scope[0]?.children ?? []).flatMap((directive) => {
    const { name, args } = directive;
    if (isInside(scope, "stream")) {
      if (name !== "proxy_pass") return [];
      const addresses = addressesOf(directive, scope);
      // What goes to another server is that one's to judge.
      if (addresses.length === 0 || !ours.isAmong(addresses)) return [];
      const announces = findSetting(scope, "proxy_protocol")?.args[0] === "on";
      const message = announces
        ? "the services do not read the PROXY protocol; to them these bytes are a broken request"
        : "a stream is passed on as it is; the service sees this proxy as its client";
      const mend = "proxy_pass from an http server instead";
      const rule = announces ? "proxy-protocol" : "tcp-mode";
      return [{ ...report(directive, rule, message, mend), severity: "error" as const }];
    }
    if (SCRIPTS.test(name)) {
      const message =
        "what this does with requests cannot be followed: it may forward any path, with any header";
      const mend = "do it with nginx' own directives, or let this file answer nothing but scripts";
      return [report(directive, "not-followed", message, mend)];
    }
    if (name === "underscores_in_headers" && args[0] === "on") {
      return [
        oddHeaders(directive, "X_Forwarded_For passes for X-Forwarded-For with some readers"),
      ];
    }
    if (name === "ignore_invalid_headers" && args[0] === "off") {
      return [oddHeaders(directive, "names that are no header names reach the service")];
    }
    if (!ours.isAnyKnown) return [];
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
const SCRIPTS =
  /^((server_)?rewrite|access|precontent|content|balancer)_by_lua|^(js_content|js_access|perl|passenger_enabled)$/;

function oddHeaders(at: NginxDirective, message: string): Finding {
  const value = at.name === "underscores_in_headers" ? "off" : "on";
  return report(at, "odd-headers-passed", message, `${at.name} ${value};`);
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
