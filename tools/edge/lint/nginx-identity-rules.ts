import type { Topology } from "../edge-config.ts";
import type { Finding } from "./finding.ts";
import { CLAIMS_CLEARED, describeTopology, IDENTITY_HEADERS } from "./lint-policy.ts";
import {
  FORWARDED_FOR_NAME,
  findHeader,
  type NginxContext,
  report,
  valuesFor,
} from "./nginx-context.ts";
import type { ProxiedPlace } from "./nginx-places.ts";
import type { NginxDirective } from "./nginx-tree.ts";
import { shapeOf, type ValueShape, variablesIn } from "./nginx-values.ts";

/** What is true of every place that forwards, whatever its path. */
export function lintPlace(place: ProxiedPlace, context: NginxContext): Finding[] {
  return [
    ...lintForwardedFor(place, context),
    ...lintOtherHeaders(place, context),
    ...lintDecodedUri(place),
  ];
}

function lintForwardedFor(place: ProxiedPlace, { variables, topology }: NginxContext): Finding[] {
  const overwrite = "proxy_set_header X-Forwarded-For $remote_addr;";
  const [header, ...more] = place.headers.filter(({ args }) => {
    return args[0]?.toLowerCase() === FORWARDED_FOR_NAME;
  });
  if (header === undefined) {
    const [own] = place.headers;
    if (own === undefined || valuesFor(place.lost, FORWARDED_FOR_NAME).length === 0) {
      const message = "nothing sets X-Forwarded-For here, so whatever the client sent gets through";
      return [report(place.pass, "missing-forwarded-for", message, `add ${overwrite}`)];
    }
    const lost = [...new Set(place.lost.map(({ args }) => args[0] ?? ""))].join(", ");
    return [
      report(
        own,
        "inherited-headers-lost",
        `one proxy_set_header of its own makes this level lose all inherited ones (${lost}), so the client's X-Forwarded-For gets through; nginx -t is content with that`,
        "repeat every inherited proxy_set_header at this level, or move this one to the outer level",
      ),
    ];
  }
  if (more.length > 0) {
    const message = "nginx sends one line for each, and which one counts depends on the reader";
    return [report(more[0] ?? header, "repeated-forwarded-for", message, "keep one of them")];
  }
  const shape = shapeOf(header.args[1] ?? "", variables);
  return lintShape(header, shape, topology);
}

function lintShape(header: NginxDirective, shape: ValueShape, topology: Topology): Finding[] {
  const overwrite = "proxy_set_header X-Forwarded-For $remote_addr;";
  if (shape.kind === "guarded") {
    const others = lintShape(header, shape.others, "direct");
    if (others.length > 0) return others;
    const fits = topology === "cdn-append" ? "appended" : "client";
    if (topology !== "direct" && shape.trusted.kind === fits) return [];
    const message = `this chooses by the peer's address, but in topology ${topology} ${describeTopology(topology)}`;
    return [report(header, "topology-mismatch", message, overwrite)];
  }
  switch (shape.kind) {
    case "peer": {
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
    default: {
      const message = "this names no client, so all clients are one";
      return [report(header, "missing-forwarded-for", message, overwrite)];
    }
  }
}

function lintOtherHeaders(place: ProxiedPlace, { variables, topology }: NginxContext): Finding[] {
  // Without any header in effect, or with all of them lost, one finding says it all.
  if (findHeader(place, FORWARDED_FOR_NAME) === undefined) return [];
  const missing = IDENTITY_HEADERS.filter((name) => {
    const [value] = valuesFor(place.headers, name);
    if (value === undefined) return true;
    return (
      !["peer", "constant", "empty"].includes(shapeOf(value, variables).kind) && !isScheme(value)
    );
  });
  const kept = CLAIMS_CLEARED.filter((name) => {
    const values = valuesFor(place.headers, name);
    return values.length === 0 || values.some((value) => value !== "");
  });
  const connection = findHeader(place, "connection");
  const nominated =
    connection !== undefined && variablesIn(connection.args[1] ?? "").includes("http_connection");
  const realIp = topology === "cdn-append" ? '""' : "$remote_addr";
  const values = { "X-Real-IP": realIp, "X-Forwarded-Proto": "$scheme" } as const;
  return [
    ...(missing.length === 0
      ? []
      : [
          report(
            place.pass,
            "identity-header-missing",
            `${missing.join(" and ")} would be the client's own here`,
            missing.map((name) => `proxy_set_header ${name} ${values[name]};`).join(" "),
          ),
        ]),
    ...(kept.length === 0
      ? []
      : [
          report(
            place.pass,
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

function isScheme(value: string): boolean {
  return variablesIn(value).join() === "scheme";
}

function lintDecodedUri({ pass }: ProxiedPlace): Finding[] {
  const decoded = variablesIn(pass.args[0] ?? "").filter((name) => {
    return name === "uri" || name === "document_uri";
  });
  if (decoded.length === 0) return [];
  const message = `$${decoded[0]} is decoded: %0d%0a in a path becomes a line break in the request that is forwarded, and behind it a header of the client's choice`;
  return [report(pass, "decoded-uri", message, "proxy_pass without a path, or with $request_uri")];
}
