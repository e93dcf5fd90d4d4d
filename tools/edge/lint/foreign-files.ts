import type { Finding } from "./finding.ts";
import type { FileKind } from "./lint-file.ts";
import { mentionsHops } from "./lint-hops.ts";
import { PROVE } from "./lint-policy.ts";

/** What routes requests or names clients as well, and is not read here; by what shows it. */
const FOREIGN: readonly { name: string; shows: RegExp }[] = [
  {
    name: "a Kubernetes Ingress, Gateway or route",
    shows:
      /^\s*kind:\s*["']?(Ingress|IngressRoute\w*|Gateway|HTTPRoute|HTTPProxy|VirtualService|EnvoyFilter|Middleware)\b/,
  },
  {
    name: "an annotation of an ingress controller",
    shows: /\b(nginx\.ingress\.kubernetes\.io|haproxy\.org|haproxy-ingress\.github\.io)\//,
  },
  {
    name: "a setting of Traefik",
    shows: /\b(forwardedHeaders|entry_?points|trustForwardHeader)\b|\btraefik\.|\[http\.routers/i,
  },
  {
    name: "a label of a proxy that reads those of containers",
    shows: /\b(VIRTUAL_HOST|caddy\.reverse_proxy|caddy_\d+)\b|^\s*caddy:\s/,
  },
  {
    name: "a proxy's configuration inside of another file",
    shows: /\b(proxy_pass|proxy_set_header|reverse_proxy|http-request set-header)\s/,
  },
];

/** What of a file of settings may decide who a client is, and was not judged. */
export function foreignParts(file: string, text: string): Finding[] {
  const lines = text.split("\n");
  return FOREIGN.flatMap(({ name, shows }) => {
    const at = lines.findIndex((line) => shows.test(line));
    if (at < 0) return [];
    const message = `this is ${name}, which is not read here, so it was not judged`;
    return [{ file, line: at + 1, rule: "not-followed" as const, message, mend: PROVE }];
  });
}

/** What a file must hold to be judged, and what it seems to be instead. */
export function whyNothing(kind: FileKind | undefined, text: string): string {
  if (text.trim() === "") return "it is empty";
  const lines = text.split("\n");
  const seen = FOREIGN.find(({ shows }) => lines.some((line) => shows.test(line)));
  const what = seen === undefined ? "" : `; what stands here is ${seen.name}`;
  switch (kind) {
    case "nginx":
      return "of nginx, servers, locations and what they forward are read, with the files that they include, and there are none";
    case "haproxy":
      return "of HAProxy, frontends and listen sections are read, with their backends, and there are none";
    case "caddy":
      return "of a Caddyfile, sites are read, with what they import, and there are none";
    case "envoy":
      return "of Envoy, connection managers and rate limit filters are read by their @type, and there are none";
    case "settings":
    case undefined:
      return mentionsHops(text)
        ? `of such a file the hops are read, and compared with a topology: --topology names it${what}`
        : `configurations of nginx, HAProxy, Caddy and Envoy are read, and in other files the hops of services (API_TRUST_PROXY_HOPS, REALTIME_TRUST_PROXY_HOPS)${what}; --proxy names the proxy that a file is for`;
  }
}
