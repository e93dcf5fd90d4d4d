import type { EdgeConfig, Topology } from "./edge-config.ts";
import { CLAIM_HEADERS, HOPS, ROUTES, type Route } from "./edge-policy.ts";

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
  cdn: "A CDN or balancer connects to this proxy, which replaces X-Forwarded-For with the client it names.",
  "cdn-append": "A CDN connects to this proxy, which adds the CDN's address to X-Forwarded-For.",
};

/** What every rendered file says first; the linter reads the topology and the hops from it. */
export function preamble(proxy: string, config: EdgeConfig): string {
  const { topology, preset } = config;
  return `# Portcullis edge: proxy=${proxy} topology=${preset}
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

/** The claims that a deployment's edge takes away, the header of its own peers included. */
export function claimHeaders({ front: { header } }: EdgeConfig): readonly string[] {
  const own = KEPT_HEADERS.includes(header.toLowerCase()) ? [] : [header];
  return [
    ...new Map([...CLAIM_HEADERS, ...own].map((name) => [name.toLowerCase(), name])).values(),
  ];
}

/** What an edge sets itself. */
const KEPT_HEADERS = ["x-forwarded-for", "x-real-ip"];

/** A pattern of the decimal numbers above one, for proxies that can compare text alone. */
export function numbersAbove(limit: number): string {
  const digits = String(limit);
  const larger = [...digits].flatMap((digit, index) => {
    if (digit === "9") return [];
    const rest = digits.length - index - 1;
    const next = Number(digit) + 1;
    return [`${digits.slice(0, index)}[${next}-9]${rest === 0 ? "" : `[0-9]{${rest}}`}`];
  });
  return [...larger, `[1-9][0-9]{${digits.length},}`].join("|");
}
