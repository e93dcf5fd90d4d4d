import { addressPatterns, impossiblePattern, mappedPatterns } from "./client-entry.ts";
import type { EdgeConfig } from "./edge-config.ts";
import { indentTabs } from "./render-text.ts";

/** The header_up lines of a reverse_proxy that say who the client is, and over what it speaks. */
export function caddyIdentityLines(config: EdgeConfig): string {
  const scheme = config.topology === "direct" ? "{scheme}" : "{vars.portcullis_scheme}";
  return `${addressLines(config)}
header_up X-Forwarded-Proto ${scheme}`;
}

function addressLines({ topology, front }: EdgeConfig): string {
  const client = topology === "cdn" ? "{vars.portcullis_client}" : "{remote_host}";
  if (topology !== "cdn-append") {
    return `header_up X-Forwarded-For ${client}
header_up X-Real-IP ${client}`;
  }
  return `# For these peers Caddy adds the peer's address to the list, so services count two hops; from
# anybody else it replaces the list. A single address would be the CDN's own.
trusted_proxies ${front.peers.join(" ")}
header_up -X-Real-IP`;
}

/** The maps and variables of a site that find the client in what trusted peers write. */
export function caddyClientVariables(config: EdgeConfig): string {
  if (config.topology === "direct") return "";
  return `
# These peers say who the client is, and nobody else is believed. They may have ended TLS, so the
# scheme is theirs to say, too; of a list the last entry counts.
map {http.request.header.X-Forwarded-Proto} {portcullis_named_scheme} {
	\`~(?i)(^|,)[ \\t]*https[ \\t]*$\` https
	\`~(?i)(^|,)[ \\t]*http[ \\t]*$\` http
	default ""
}
@names_scheme {
	remote_ip ${config.front.peers.join(" ")}
	not vars {portcullis_named_scheme} ""
}
vars portcullis_scheme {scheme}
vars @names_scheme portcullis_scheme {portcullis_named_scheme}
${config.topology === "cdn" ? resolvedClient(config) : ""}`;
}

function resolvedClient({ front: { peers, header, entries } }: EdgeConfig): string {
  const positions = Array.from({ length: entries }, (_, behind) => behind);
  return `
# Of the header only ${entries === 1 ? "the last entry counts" : `the last ${entries} entries count`}, in any form that services read: with brackets, a
# port or neither. Entries further left are the client's own words. What names no client of theirs
# leaves the peer itself.
${positions.map((behind) => entryMap(header, behind)).join("\n")}
@from_cdn {
	remote_ip ${peers.join(" ")}
${positions.map((behind) => `	not vars ${entryVariable(behind)} ""`).join("\n")}
}
vars portcullis_client {http.request.remote.host}
vars @from_cdn portcullis_client ${entryVariable(entries - 1)}
`;
}

function entryVariable(behind: number): string {
  return `{portcullis_entry_${behind + 1}}`;
}

function entryMap(header: string, behind: number): string {
  const found = [...mappedPatterns(behind), ...addressPatterns(behind)].map((pattern) => {
    return `\`~${pattern}\` "\${ip}"`;
  });
  return `map {http.request.header.${header}} ${entryVariable(behind)} {
	\`~${impossiblePattern(behind)}\` ""
${indentTabs(1, found.join("\n"))}
	default ""
}`;
}
