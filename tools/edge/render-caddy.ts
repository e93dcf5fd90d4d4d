import { type EdgeConfig, type Endpoint, FORWARDED_FOR, formatEndpoint } from "./edge-config.ts";
import {
  BODY_KIB_MAX,
  CLAIM_HEADERS,
  HEADER_SECONDS,
  REQUEST_SECONDS,
  type Route,
} from "./edge-policy.ts";
import { indentTabs, preamble, publicRoutes } from "./render-text.ts";

/** Renders a complete Caddyfile, for Caddy 2.6 and newer; indented with tabs, as Caddy does. */
export function renderCaddy(config: EdgeConfig): string {
  const sites = groupByPort(config.listen).map(([port, hosts]) => siteBlock(config, port, hosts));
  return `${preamble("caddy", config)}
{
	admin off
	# Certificates come from files; a redirect or a certificate of Caddy's own would be a surprise.
	auto_https off
	servers {
		# HTTP/3 would need a second, connectionless way in.
		protocols h1 h2
${indentTabs(2, headLimit(config))}
		timeouts {
			read_header ${HEADER_SECONDS}s
			read_body ${HEADER_SECONDS}s
			idle 60s
		}
	}
}
${sites.join("\n")}`;
}

function headLimit(config: EdgeConfig): string {
  if (config.tls === undefined) {
    return `# Go's parser takes 4 KiB more than this, which is all that the gateway keeps of a head.
max_header_size 1B`;
  }
  return `# HTTP/2 takes this and HTTP/1 4 KiB more, so here a head between 4 and 7 KiB can pass that the
# gateway refuses; any lower limit would refuse ordinary browsers over HTTP/2.
max_header_size 3KB`;
}

function groupByPort(listen: readonly Endpoint[]): [number, string[]][] {
  const ports = [...new Set(listen.map(({ port }) => port))];
  return ports.map((port) => {
    const hosts = listen.filter((endpoint) => endpoint.port === port).map(({ host }) => host);
    return [port, hosts];
  });
}

function siteBlock(config: EdgeConfig, port: number, hosts: readonly string[]): string {
  const scheme = config.tls === undefined ? "http" : "https";
  const names = config.domains.length === 0 ? [""] : config.domains;
  const addresses = names.map((name) => `${scheme}://${name}:${port}`).join(", ");
  const site = `
${addresses} {
${indentTabs(1, `${bindLine(hosts)}${tlsLine(config)}\n${siteBody(config)}`)}
}
`;
  if (config.domains.length === 0) return site;
  return `${site}
# Any other name.
${scheme}://:${port} {
${indentTabs(1, `${bindLine(hosts)}${tlsLine(config)}`)}
	respond 404
}
`;
}

function bindLine(hosts: readonly string[]): string {
  const everywhere = hosts.includes("0.0.0.0") && hosts.includes("::");
  if (everywhere) return "# All addresses, over IPv4 and IPv6.";
  return `bind ${hosts.map((host) => (host.includes(":") ? `[${host}]` : host)).join(" ")}`;
}

function tlsLine(config: EdgeConfig): string {
  if (config.tls === undefined) {
    return `
# For TLS, name the files under "tls" in the YAML: "tls <certificate> <key>" appears here.`;
  }
  return `\ntls ${config.tls.certificate} ${config.tls.key}`;
}

function siteBody(config: EdgeConfig): string {
  const routes = publicRoutes(config);
  return `
# A route counts only when the client spelled it literally: what is compared is the target of the
# request line, before any decoding.
map {http.request.orig_uri} {portcullis_route} {
${routes.map((route) => `	~${route.pattern.replace(/\$$/, "(\\?|$)")} ${route.name}`).join("\n")}
	default none
}
${clientAddress(config)}
${routes.map((route) => handleBlock(config, route)).join("\n\n")}

handle {
	respond 404
}`;
}

const OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

/** Three ways of writing one address, each with the port that some CDNs add. */
const LAST_ENTRY = [
  `~^(.*,)?[ \\t]*(?P<ip>${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET})(:\\d+)?[ \\t]*$`,
  "~^(.*,)?[ \\t]*(?P<ip>[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)[ \\t]*$",
  "~^(.*,)?[ \\t]*\\[(?P<ip>[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)\\](:\\d+)?[ \\t]*$",
];

function clientAddress(config: EdgeConfig): string {
  const ranges = config.cdn.cidrs.join(" ");
  if (config.topology !== "cdn") return "";
  const { header } = config.cdn;
  return `
# The CDN's servers say who the client is, and nobody else is believed. Of a list only the last
# entry counts, the address that connected to the CDN; the rest are the client's own words.
@from_cdn {
	remote_ip ${ranges}
	not vars {portcullis_named} ""
}
map {http.request.header.${header}} {portcullis_named} {
${LAST_ENTRY.map((entry) => `	\`${entry}\` "\${ip}"`).join("\n")}
	default ""
}
vars portcullis_client {http.request.remote.host}
vars @from_cdn portcullis_client {portcullis_named}
`;
}

function handleBlock(config: EdgeConfig, route: Route): string {
  const upstreams = config.upstreams[route.upstream].map(formatEndpoint).join(" ");
  const claims = [...CLAIM_HEADERS].map((name) => `	header_up -${name}`);
  return `@${route.name} vars {portcullis_route} ${route.name}
handle @${route.name} {
${indentTabs(1, upgradeLines(route))}
	request_body {
		max_size ${BODY_KIB_MAX}KB
	}
	reverse_proxy ${upstreams} {
${indentTabs(1, addressLines(config))}
		header_up X-Forwarded-Proto {scheme}
${indentTabs(1, claims.join("\n"))}
		# A name with an underscore can pass for one with a hyphen further on.
		header_up -*_*
${route.upgrade ? "" : indentTabs(2, transport())}
	}
}`.replace(/\n+(\t}\n})$/, "\n$1");
}

function transport(): string {
  return `transport http {
	dial_timeout 5s
	response_header_timeout ${REQUEST_SECONDS}s
}`;
}

function upgradeLines(route: Route): string {
  if (!route.upgrade) {
    return `# No upgrade here, and nothing that Connection nominates is taken away further on.
request_header -Upgrade
request_header -Connection`;
  }
  return `# Only a websocket is upgraded. Connection is written anew, since Caddy removes what a client's
# own nominates, and with trusted_proxies that would be the CDN's list.
@websocket header_regexp Upgrade (?i)^websocket$
request_header @websocket Connection Upgrade
@no_websocket not header_regexp Upgrade (?i)^websocket$
request_header @no_websocket -Upgrade
request_header @no_websocket -Connection`;
}

function addressLines(config: EdgeConfig): string {
  if (config.topology === "direct") {
    return `	header_up ${FORWARDED_FOR} {remote_host}
	header_up X-Real-IP {remote_host}`;
  }
  if (config.topology === "cdn") {
    return `	header_up ${FORWARDED_FOR} {vars.portcullis_client}
	header_up X-Real-IP {vars.portcullis_client}`;
  }
  return `	# For these peers Caddy adds the peer's address to the list, so services count two hops; from
	# anybody else it replaces the list. A single address would be the CDN's own.
	trusted_proxies ${config.cdn.cidrs.join(" ")}
	header_up -X-Real-IP`;
}
