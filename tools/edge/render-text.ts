import type { EdgeConfig, Topology } from "./edge-config.ts";
import { HOPS, ROUTES, type Route } from "./edge-policy.ts";

/** Moves every line that has text to the right. */
export function indent(columns: number, text: string): string {
  return text.replace(/^(?=.)/gm, " ".repeat(columns));
}

/** The routes of a deployment: those whose upstream it names. */
export function publicRoutes(config: EdgeConfig): readonly Route[] {
  return ROUTES.filter((route) => config.upstreams[route.upstream].length > 0);
}

const DESCRIPTIONS: Record<Topology, string> = {
  direct: "Clients connect to this proxy. It replaces X-Forwarded-For with the peer's address.",
  cdn: "A CDN connects to this proxy, which replaces X-Forwarded-For with the client it names.",
  "cdn-append": "A CDN connects to this proxy, which adds the CDN's address to X-Forwarded-For.",
};

/** What every rendered file says first; the linter reads the topology and the hops from it. */
export function preamble(proxy: string, config: EdgeConfig): string {
  const { topology } = config;
  return `# Portcullis edge: proxy=${proxy} topology=${topology}
#
# ${DESCRIPTIONS[topology]}
# Services behind it run with API_TRUST_PROXY_HOPS=${HOPS[topology]} and REALTIME_TRUST_PROXY_HOPS=${HOPS[topology]}.
#
# Rendered from a few lines of YAML: change those and render again (npm run -s edge -- render).
# The PROXY protocol is not used: an address is taken from the connection itself.`;
}

/** The same with tabs, which is how Caddy formats its files. */
export function indentTabs(tabs: number, text: string): string {
  return text.replace(/^(?=.)/gm, "\t".repeat(tabs));
}
