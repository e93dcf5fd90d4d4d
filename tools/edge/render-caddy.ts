import { type EdgeConfig, type Endpoint, formatEndpoint } from "./edge-config.ts";
import {
  BODY_KIB_MAX,
  DRAIN_SECONDS,
  FORWARDED_HEAD_BYTES_MAX,
  HEAD_BUFFER_BYTES,
  HEADER_SECONDS,
  REQUEST_SECONDS,
  type Route,
} from "./edge-policy.ts";
import { caddyClientVariables, caddyIdentityLines } from "./render-caddy-client.ts";
import { claimHeaders, indentTabs, numbersAbove, preamble, publicRoutes } from "./render-text.ts";

/** Renders a complete Caddyfile, for Caddy 2.6 and newer; indented with tabs, as Caddy does. */
export function renderCaddy(config: EdgeConfig): string {
  const sites = groupByPort(config.listen).map(([port, hosts]) => siteBlock(config, port, hosts));
  return `${preamble("caddy", config)}
{
	# Reloads come in here, and nobody else: a socket in the home directory of Caddy's own user.
	admin unix/{$HOME}/portcullis-caddy.sock
	# After a reload what has begun may end, and then it ends.
	grace_period ${DRAIN_SECONDS}s
	# Certificates come from files; a redirect or a certificate of Caddy's own would be a surprise.
	auto_https off
	servers {
		# HTTP/3 would need a second, connectionless way in.
		protocols h1 h2
		# Any head is taken that services may take, cookies included, which are dropped below; services
		# have the last word on its length. Over HTTP/2 a line beyond this ends the whole connection.
		max_header_size ${HEAD_BUFFER_BYTES / 1024}KiB
		timeouts {
			read_header ${HEADER_SECONDS}s
			read_body ${HEADER_SECONDS}s
			idle 60s
		}
	}
}
${sites.join("\n")}`;
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
${caddyClientVariables(config)}
${routes.map((route) => handleBlock(config, route)).join("\n\n")}

handle {
	respond 404
}

# A browser's page may read what this edge answers by itself.
handle_errors {
	header Access-Control-Allow-Origin *
	@body_too_long expression \`{http.error.message}.contains("request body too large")\`
	respond @body_too_long "a body holds at most ${BODY_KIB_MAX} KiB" 413
	# A service that refuses a head can close before all of it is sent, and its answer is lost.
	@head_too_long expression \`{http.error.message}.contains("write: broken pipe") || {http.error.message}.contains("write: connection reset")\`
	respond @head_too_long "a head without cookies holds at most ${FORWARDED_HEAD_BYTES_MAX} bytes" 431
	respond "{http.error.status_code} {http.error.status_text}" {http.error.status_code}
}`;
}

function handleBlock(config: EdgeConfig, route: Route): string {
  const upstreams = config.upstreams[route.upstream].map(formatEndpoint).join(" ");
  const claims = claimHeaders(config).map((name) => `	header_up -${name}`);
  return `@${route.name} vars {portcullis_route} ${route.name}
handle @${route.name} {
${indentTabs(1, upgradeLines(route))}
	@announces_too_much header_regexp Content-Length ^(${numbersAbove(BODY_KIB_MAX * 1024)})$
	error @announces_too_much "request body too large" 413
	request_body {
		max_size ${BODY_KIB_MAX}KiB
	}
	reverse_proxy ${upstreams} {
${indentTabs(2, caddyIdentityLines(config))}
${indentTabs(1, claims.join("\n"))}
		# A name with an underscore can pass for one with a hyphen further on.
		header_up -*_*
		# No service reads cookies, and a head of them is mostly that.
		header_up -Cookie
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
