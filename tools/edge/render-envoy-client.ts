import { addressPatterns, impossiblePattern } from "./client-entry.ts";
import type { EdgeConfig } from "./edge-config.ts";
import { FORWARDED_FOR } from "./presets.ts";
import { indent } from "./render-text.ts";

/** Which connections a filter chain is for: all others, or those of trusted peers. */
export type Peers = "anybody" | "peers";

const CLIENT = "%DYNAMIC_METADATA(portcullis:client)%";
const PEER = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%";

/** A variant of every route, for some requests or for all. */
export type EnvoyVariant = {
  /** What must be true of a request beside its path, as YAML below `match`. */
  condition: string;
  /** The header lines that the route sets, as YAML. */
  identity: string;
};

/** The variants of each route, the more particular first. */
export function envoyVariants(config: EdgeConfig, peers: Peers): readonly EnvoyVariant[] {
  if (!namesDiffer(config, peers)) return [{ condition: "", identity: "" }];
  const variant = (condition: string, client: string) => {
    const headers = headersToSet([FORWARDED_FOR, "X-Real-IP"], client);
    return { condition, identity: `request_headers_to_add:\n${headers}` };
  };
  return [variant(namesClient(config), CLIENT), variant("", PEER)];
}

/** Whether the client is named by some requests' headers, so that each route has to say it. */
function namesDiffer({ topology }: EdgeConfig, peers: Peers): boolean {
  return peers === "peers" && topology === "cdn";
}

/** The header lines that are the same on all routes. */
export function envoyIdentity(config: EdgeConfig, peers: Peers): string {
  const scheme = headersToSet(["X-Forwarded-Proto"], config.tls === undefined ? "http" : "https");
  // Trusted peers may have ended TLS: what they say of the scheme stays.
  if (peers === "peers") return "";
  const { topology } = config;
  // Behind cdn-append a single address would mostly be the CDN's own, which is nobody's client.
  const names = topology === "cdn-append" ? [FORWARDED_FOR] : [FORWARDED_FOR, "X-Real-IP"];
  return `request_headers_to_add:\n${headersToSet(names, PEER)}\n${scheme}\n`;
}

/** Header lines that replace every line of the client's. */
export function headersToSet(names: readonly string[], value: string): string {
  return names
    .map(
      (name) => `  - header: { key: ${name}, value: "${value}" }
    append_action: OVERWRITE_IF_EXISTS_OR_ADD`,
    )
    .join("\n");
}

/** A pattern of the whole value, in which the address alone is a group. */
function wholeValue(pattern: string): string {
  const numbered = pattern.replace(/\((?!\?)/g, "(?:").replace("(?P<ip>", "(");
  return numbered.replace("(?:^|,)", "^(?:.*,)?");
}

/** Envoy joins all lines of a header by commas before it looks at them. */
function namesClient({ front: { header, entries } }: EdgeConfig): string {
  const positions = Array.from({ length: entries }, (_, behind) => behind);
  const matches = positions.flatMap((behind) => [
    `- name: ${header}
  string_match: { safe_regex: { regex: '${addressPatterns(behind).map(wholeValue).join("|")}' } }`,
    `- name: ${header}
  string_match: { safe_regex: { regex: '${wholeValue(impossiblePattern(behind))}' } }
  invert_match: true`,
  ]);
  return `# The peers name a client, in any form that services read.
headers:
${indent(2, matches.join("\n"))}`;
}

/** The filter that cuts the client's address out of the header, for the routes behind it. */
export function envoyClientFilter({ topology, front }: EdgeConfig, peers: Peers): string {
  if (peers === "anybody" || topology !== "cdn") return "";
  const forms = addressPatterns(front.entries - 1).map(wholeValue);
  return `# Of the header only ${front.entries === 1 ? "the last entry counts" : `the last ${front.entries} entries count`}; those further left are the client's own
# words. Each form of an entry has one group, and one of them matches.
- name: envoy.filters.http.header_to_metadata
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config
    request_rules:
      - header: ${front.header}
        on_header_present:
          metadata_namespace: portcullis
          key: client
          regex_value_rewrite:
            pattern: { regex: '${forms.join("|")}' }
            substitution: '${forms.map((_, index) => `\\${index + 1}`).join("")}'
`;
}
