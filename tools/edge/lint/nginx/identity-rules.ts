import type { Topology } from "../../edge-config.ts";
import type { Finding } from "../finding.ts";
import {
  CLAIMS_CLEARED,
  describeTopology,
  IDENTITY_HEADERS,
  mendScheme,
  PORT_BEHIND,
  PROVE,
} from "../lint-policy.ts";
import { FORWARDED_FOR_NAME, findHeader, type NginxContext, report, valuesFor } from "./context.ts";
import { groupsOf } from "./locations.ts";
import { ANYTHING, canHoldLineBreak } from "./pattern.ts";
import { findSetting, findSettings, type NginxScope, type ProxiedPlace } from "./places.ts";
import type { NginxDirective } from "./tree.ts";
import { shapeOf, type ValueShape } from "./values.ts";
import { followValue, type NginxVariables, variablesAt, variablesIn } from "./variables.ts";

/** What is true of every place that forwards, whatever its path. */
export function lintPlace(place: ProxiedPlace, context: NginxContext): Finding[] {
  const here = { ...context, variables: variablesAt(context.variables, place.scope) };
  return [
    ...lintForwardedFor(place, here),
    // What another application reads beside the address is its own affair.
    ...(context.ours.isAnyKnown ? lintOtherHeaders(place, here) : []),
    ...lintDecodedUri(place, here.variables),
  ];
}

/** Whether the client's headers are forwarded at all, but for those that are set. */
function passesHeaders({ scope, pass }: ProxiedPlace): boolean {
  const setting = findSetting(scope, "proxy_pass_request_headers");
  return pass.name !== "proxy_pass" || setting?.args[0] !== "off";
}

function lintForwardedFor(place: ProxiedPlace, { variables, topology }: NginxContext): Finding[] {
  const verb = place.pass.name === "grpc_pass" ? "grpc_set_header" : "proxy_set_header";
  const overwrite = `${verb} X-Forwarded-For $remote_addr;`;
  const [header, ...more] = place.headers.filter(({ args }) => {
    return args[0]?.toLowerCase() === FORWARDED_FOR_NAME;
  });
  if (header === undefined) {
    const [own] = place.headers;
    if (own === undefined || valuesFor(place.lost, FORWARDED_FOR_NAME).length === 0) {
      const message = passesHeaders(place)
        ? "nothing sets X-Forwarded-For here, so whatever the client sent gets through"
        : "nothing sets X-Forwarded-For here, so the services see this proxy as their client";
      const set = findSettings(place.scope, HEADER_MODULES).at(-1);
      if (set !== undefined) return [unfollowed(set, set.name)];
      return [report(place.pass, "missing-forwarded-for", message, `add ${overwrite}`)];
    }
    const lost = [...new Set(place.lost.map(({ args }) => args[0] ?? ""))].join(", ");
    return [
      report(
        own,
        "inherited-headers-lost",
        `one ${verb} of its own makes this level lose all inherited ones (${lost}), so the client's X-Forwarded-For gets through; nginx -t is content with that`,
        `repeat every inherited ${verb} at this level, or move this one to the outer level`,
      ),
    ];
  }
  if (more.length > 0) {
    const message = "nginx sends one line for each, and which one counts depends on the reader";
    const mend = `keep one line alone: ${overwrite}`;
    return [report(more[0] ?? header, "repeated-forwarded-for", message, mend)];
  }
  const shape = shapeOf(header.args[1] ?? "", variables);
  return lintShape(header, shape, topology);
}

/** What a script or a module may do to headers before proxy_set_header is asked. */
const HEADER_MODULES = ["more_set_input_headers", "more_clear_input_headers"];

function lintShape(header: NginxDirective, shape: ValueShape, topology: Topology): Finding[] {
  const overwrite = "proxy_set_header X-Forwarded-For $remote_addr;";
  if (shape.kind === "guarded") {
    const others = lintShape(header, shape.others, "direct");
    if (others.length > 0) return others;
    if (shape.trusted.kind === "unknown") return [unfollowed(header, `$${shape.trusted.name}`)];
    const fits = topology === "cdn-append" ? "appended" : "client";
    if (topology !== "direct" && shape.trusted.kind === fits) return [];
    const message = `this chooses by the peer's address, but in topology ${topology} ${describeTopology(topology)}`;
    return [report(header, "topology-mismatch", message, overwrite)];
  }
  switch (shape.kind) {
    case "unknown":
      return [unfollowed(header, `$${shape.name}`)];
    case "with-port":
    case "bracketed":
      return [report(header, "ambiguous-port", PORT_BEHIND[shape.kind], overwrite)];
    case "connection":
    case "announced":
    case "peer": {
      if (shape.kind === "connection" && topology === "cdn") {
        const message =
          "this is the address of the connection, so behind a CDN all of the CDN's clients are one";
        return [report(header, "topology-mismatch", message, overwrite)];
      }
      if (topology !== "cdn-append") return [];
      const message =
        "this replaces the CDN's list, so services that count two hops find one entry and fall back to this proxy's address";
      const mend = "append for the CDN's addresses (geo and map), or count one hop: topology cdn";
      return [report(header, "topology-mismatch", message, mend)];
    }
    case "appended": {
      const message =
        "the client's own list stays in front, so whoever counts one hop too many, or reads from the left, believes the client";
      const mend =
        topology === "cdn-append"
          ? "append only for the CDN's addresses (geo and map), overwrite for everybody else"
          : overwrite;
      return [report(header, "appended-forwarded-for", message, mend)];
    }
    case "client":
      return [
        report(
          header,
          "passed-through-forwarded-for",
          "this is what the client sent, so every client chooses its own address",
          overwrite,
        ),
      ];
    case "garbled": {
      const message = "services read one address as text here, and nothing beside it";
      return [report(header, "missing-forwarded-for", message, overwrite)];
    }
    default: {
      const message = "this names no client, so all clients are one";
      return [report(header, "missing-forwarded-for", message, overwrite)];
    }
  }
}

function unfollowed(at: NginxDirective, name: string): Finding {
  const message = `what ${name} makes of X-Forwarded-For cannot be told from these files, so it was not judged`;
  return report(at, "not-followed", message, PROVE);
}

function lintOtherHeaders(place: ProxiedPlace, { variables, topology }: NginxContext): Finding[] {
  // Without any header in effect, or with all of them lost, one finding says it all.
  const header = findHeader(place, FORWARDED_FOR_NAME);
  if (header === undefined) return [];
  // Headers from a file that many sites include are mended there, once.
  const at = header.file === place.pass.file ? place.pass : header;
  const isPassed = passesHeaders(place);
  const missing = IDENTITY_HEADERS.filter((name) => {
    const [value] = valuesFor(place.headers, name);
    if (value === undefined) return isPassed;
    const shape = shapeOf(value, variables);
    // What trusted peers say is theirs to say.
    const { kind } = shape.kind === "guarded" ? shape.others : shape;
    return !OWN_WORDS.includes(kind) && !isScheme(value);
  });
  const kept = CLAIMS_CLEARED.filter((name) => {
    const values = valuesFor(place.headers, name);
    return values.length === 0 ? isPassed : values.some((value) => value !== "");
  });
  const connection = findHeader(place, "connection");
  const nominated =
    connection !== undefined &&
    followValue(connection.args[1] ?? "", variables).names.has("http_connection");
  const realIp = topology === "cdn-append" ? '""' : "$remote_addr";
  const mends = {
    "X-Real-IP": `proxy_set_header X-Real-IP ${realIp};`,
    "X-Forwarded-Proto": endsTls(place.scope)
      ? "proxy_set_header X-Forwarded-Proto $scheme;"
      : SCHEME_UNKNOWN,
  } as const;
  return [
    ...(missing.length === 0
      ? []
      : [
          report(
            at,
            "identity-header-missing",
            `${missing.join(" and ")} would be what the sender of the request wrote`,
            missing.map((name) => mends[name]).join(" "),
          ),
        ]),
    ...(kept.length === 0
      ? []
      : [
          report(
            at,
            "claim-header-kept",
            `${kept.join(", ")} would reach the service as the client sent it`,
            kept.map((name) => `proxy_set_header ${name} "";`).join(" "),
          ),
        ]),
    ...(nominated
      ? [
          report(
            connection,
            "nominated-headers",
            "this passes on what the client nominates, and the next hop may remove those headers, X-Forwarded-For among them",
            'proxy_set_header Connection ""; and "upgrade" where a websocket is opened',
          ),
        ]
      : []),
  ];
}

/** What a client cannot choose. */
const OWN_WORDS: readonly ValueShape["kind"][] = [
  "peer",
  "connection",
  "announced",
  "with-port",
  "bracketed",
  "garbled",
  "constant",
  "unknown",
  "empty",
];

const SCHEME_UNKNOWN = mendScheme("proxy_set_header X-Forwarded-Proto $scheme;", "https;");

/** Whether this proxy ends TLS itself, so that it knows the scheme. */
function endsTls(scope: NginxScope): boolean {
  const server = scope.find(({ directive }) => directive?.name === "server");
  const children = server?.children ?? [];
  return children.some(({ name, args }) => {
    return (name === "listen" && args.includes("ssl")) || (name === "ssl" && args[0] === "on");
  });
}

function isScheme(value: string): boolean {
  return variablesIn(value).join() === "scheme";
}

function lintDecodedUri({ pass, scope }: ProxiedPlace, variables: NginxVariables): Finding[] {
  const { names, texts } = followValue(pass.args[0] ?? "", variables);
  const groups = groupsOf(scope);
  const parts = [...texts].flatMap((text) => [...text.matchAll(/\$([1-9])/g)]);
  const cut = parts.find(([, index]) => canHoldLineBreak(groups[Number(index)] ?? ANYTHING));
  const decoded = cut?.[0] ?? ["$uri", "$document_uri"].find((name) => names.has(name.slice(1)));
  if (decoded === undefined) return [];
  const message = `${decoded} is decoded: %0d%0a in a path becomes a line break in the request that is forwarded, and behind it a header of the client's choice`;
  return [report(pass, "decoded-uri", message, "proxy_pass without a path, or with $request_uri")];
}
