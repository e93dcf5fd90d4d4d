import type { CaddyDirective } from "./caddy/tree.ts";
import type { EnvoyCluster } from "./envoy/clusters.ts";
import type { Finding } from "./finding.ts";
import type { HaproxySection } from "./haproxy/sections.ts";
import { privatePortName } from "./lint-policy.ts";
import type { NginxDirective } from "./nginx/tree.ts";
import type { OurUpstreams } from "./our-upstreams.ts";

/** A place that names an address to forward to. */
type Place = { file: string; line: number };

/** `host:port`, with or without a scheme before and a path behind. */
const PORT = /^(?:[a-z+]+:\/\/)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:/]*):(\d{1,5})(?:[/?].*)?$/;

/** Where nginx forwards to operators' and services' ports. */
export function lintNginxPorts(
  directives: readonly NginxDirective[],
  ours: OurUpstreams,
  inUpstream = false,
): Finding[] {
  return directives.flatMap((directive) => {
    const { name, args, block } = directive;
    const isTarget = /_pass$/.test(name) || (name === "server" && inUpstream);
    return [
      ...(isTarget ? reportAddress(directive, args[0] ?? "", ours) : []),
      ...lintNginxPorts(block ?? [], ours, name === "upstream"),
    ];
  });
}

/** Where HAProxy does. */
export function lintHaproxyPorts(
  sections: readonly HaproxySection[],
  ours: OurUpstreams,
): Finding[] {
  return sections.flatMap(({ lines }) =>
    lines.flatMap((line) => {
      const [kind, , address = ""] = line.words;
      return kind === "server" ? reportAddress(line, address, ours) : [];
    }),
  );
}

/** Where Caddy does, by `reverse_proxy` itself or by its `to`. */
export function lintCaddyPorts(
  directives: readonly CaddyDirective[],
  ours: OurUpstreams,
  inProxy = false,
): Finding[] {
  return directives.flatMap((directive) => {
    const [name = "", ...words] = directive.words;
    const isProxy = name === "reverse_proxy";
    const isTarget = isProxy || (inProxy && name === "to");
    return [
      ...(isTarget
        ? words.flatMap((word) => reportAddress(directive, word, ours)).slice(0, 1)
        : []),
      ...lintCaddyPorts(directive.block, ours, isProxy),
    ];
  });
}

/** Where Envoy's clusters do; its listeners name ports, too. */
export function lintEnvoyPorts(
  clusters: readonly EnvoyCluster[],
  ours: OurUpstreams,
  at: (offset: number) => Place,
): Finding[] {
  return clusters.flatMap(({ endpoints }) => {
    return endpoints.flatMap(({ address, offset }) => reportAddress(at(offset), address, ours));
  });
}

/** On a host where nothing of ours is, the port is another program's. */
function reportAddress({ file, line }: Place, target: string, ours: OurUpstreams): Finding[] {
  const port = Number(PORT.exec(target)?.[1] ?? Number.NaN);
  const variable = privatePortName(port);
  const address = target.replace(/^[a-z+]+:\/\//, "").replace(/[/?].*$/, "");
  if (variable === undefined || !ours.isHostOfOurs(address)) return [];
  const message = `${port} is ${variable}: operators and services are answered there, not browsers`;
  const mend = "forward to AUTH_PORT (4001) and GATEWAY_PORT (8001) alone";
  return [{ file, line, rule: "private-port", message, mend }];
}
