import { type Document, isMap, isScalar, LineCounter, parseAllDocuments, visit } from "yaml";
import type { CaddyDirective } from "./caddy-tree.ts";
import type { Finding } from "./finding.ts";
import type { HaproxySection } from "./haproxy-sections.ts";
import { privatePortName } from "./lint-policy.ts";
import type { NginxDirective } from "./nginx-tree.ts";

/** A place that names an address to forward to. */
type Place = { file: string; line: number };

/** `host:port`, with or without a scheme before and a path behind. */
const PORT = /^(?:[a-z+]+:\/\/)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:/]*):(\d{1,5})(?:[/?].*)?$/;

/** Where nginx forwards to operators' and services' ports. */
export function lintNginxPorts(
  directives: readonly NginxDirective[],
  inUpstream = false,
): Finding[] {
  return directives.flatMap((directive) => {
    const { name, args, block } = directive;
    const isTarget = /_pass$/.test(name) || (name === "server" && inUpstream);
    return [
      ...(isTarget ? report(directive, portOf(args[0] ?? "")) : []),
      ...lintNginxPorts(block ?? [], name === "upstream"),
    ];
  });
}

/** Where HAProxy does. */
export function lintHaproxyPorts(sections: readonly HaproxySection[]): Finding[] {
  return sections.flatMap(({ lines }) =>
    lines.flatMap((line) => {
      const [kind, , address = ""] = line.words;
      return kind === "server" ? report(line, portOf(address)) : [];
    }),
  );
}

/** Where Caddy does, by `reverse_proxy` itself or by its `to`. */
export function lintCaddyPorts(directives: readonly CaddyDirective[], inProxy = false): Finding[] {
  return directives.flatMap((directive) => {
    const [name = "", ...words] = directive.words;
    const isProxy = name === "reverse_proxy";
    const isTarget = isProxy || (inProxy && name === "to");
    return [
      ...(isTarget ? words.flatMap((word) => report(directive, portOf(word))).slice(0, 1) : []),
      ...lintCaddyPorts(directive.block, isProxy),
    ];
  });
}

/** Where Envoy's clusters do; its listeners name ports, too. */
export function lintEnvoyPorts(file: string, text: string): Finding[] {
  const lines = new LineCounter();
  return parseAllDocuments(text, { lineCounter: lines }).flatMap((document) => {
    return portsOfEndpoints(document).flatMap(({ port, offset }) => {
      return report({ file, line: lines.linePos(offset).line }, port);
    });
  });
}

function portsOfEndpoints(document: Document.Parsed): { port: number; offset: number }[] {
  const ports: { port: number; offset: number }[] = [];
  visit(document, {
    Map: (_key, node) => {
      const endpoint = node.get("endpoint");
      const address = isMap(endpoint) ? endpoint.getIn(["address", "socket_address"]) : undefined;
      const port = isMap(address) ? address.get("port_value", true) : undefined;
      if (isScalar(port)) ports.push({ port: Number(port.value), offset: port.range?.[0] ?? 0 });
    },
  });
  return ports;
}

function portOf(address: string): number {
  return Number(PORT.exec(address)?.[1] ?? Number.NaN);
}

function report({ file, line }: Place, port: number): Finding[] {
  const variable = privatePortName(port);
  if (variable === undefined) return [];
  const message = `${port} is ${variable}: operators and services are answered there, not browsers`;
  const mend = "forward to AUTH_PORT (4001) and GATEWAY_PORT (8001) alone";
  return [{ file, line, rule: "private-port", message, mend }];
}
