import { type EdgeConfig, formatEndpoint } from "./edge-config.ts";
import {
  BODY_KIB_MAX,
  DRAIN_SECONDS,
  HEAD_BUFFER_BYTES,
  HEAD_BYTES_MAX,
  HEADER_SECONDS,
  REALTIME_IDLE_SECONDS,
  REQUEST_SECONDS,
  type Route,
  type Upstream,
} from "./edge-policy.ts";
import { FORWARDED_FOR } from "./presets.ts";
import { nginxClientMaps, nginxClientVariables } from "./render-nginx-client.ts";
import { claimHeaders, indent, numbersAbove, preamble, publicRoutes } from "./render-text.ts";

/** Renders a complete nginx.conf, for nginx 1.18 and newer. */
export function renderNginx(config: EdgeConfig, runtimeDirectory?: string): string {
  return `${preamble("nginx", config)}

worker_processes auto;
# After a reload old workers end what they have begun, and then they end, websockets or not.
worker_shutdown_timeout ${DRAIN_SECONDS}s;
${runtimeDirectory === undefined ? "# user www-data;" : runtimeGlobals(runtimeDirectory)}

events {
    # Every websocket takes two: one from the client and one to the gateway.
    worker_connections 16384;
}

http {
${indent(4, httpBlock(config, runtimeDirectory))}
}
`;
}

/** Where nginx may write when it is started by hand instead of as a system service. */
function runtimeGlobals(directory: string): string {
  return `pid ${directory}/nginx.pid;
error_log stderr warn;
daemon off;`;
}

function httpBlock(config: EdgeConfig, runtimeDirectory: string | undefined): string {
  return `${runtimeDirectory === undefined ? "" : runtimePaths(runtimeDirectory)}server_tokens off;
default_type text/plain;

# A route counts only when the client spelled it literally. nginx compares locations with the
# decoded and normalised path, but forwards what the client sent; without this gate
# "/x/../gateway/realtime" and "/gateway/%72ealtime" would be two more names of one route.
map $request_uri $portcullis_route {
    default "";
${publicRoutes(config)
  .map((route) => `    "~${withQuery(route.pattern)}" ${route.name};`)
  .join("\n")}
}

# Only a websocket is upgraded; "Upgrade: h2c" and friends are not passed on.
map $http_upgrade $portcullis_upgrade {
    default "";
    "~*^websocket$" websocket;
}
map $portcullis_upgrade $portcullis_connection {
    default upgrade;
    "" "";
}
${nginxClientMaps(config)}
${upstreamBlocks(config)}

# A head of up to ${HEAD_BYTES_MAX / 1024} KiB is taken, cookies included, which are dropped below. Lines of any length fit
# the buffer, since over HTTP/2 one that does not ends the whole connection.
large_client_header_buffers 1 ${HEAD_BUFFER_BYTES / 1024}k;
map $request_length $portcullis_head {
    default taken;
    "~^(${numbersAbove(HEAD_BYTES_MAX)})$" too_long;
}
# Names with underscores can pass for names with hyphens further on.
underscores_in_headers off;
ignore_invalid_headers on;

client_header_timeout ${HEADER_SECONDS}s;
client_body_timeout ${HEADER_SECONDS}s;
client_max_body_size ${BODY_KIB_MAX}k;
# Larger than any body, so that none is written to a disk.
client_body_buffer_size ${2 * BODY_KIB_MAX}k;
proxy_max_temp_file_size 0;

# A browser's page may read what this edge answers by itself. What a service answered, it has the
# last word on: then nginx knows how long its head took.
map $upstream_header_time $portcullis_own_answer {
    default "";
    "" "*";
    "~(^|[ ,])-$" "*";
}
${hostGate(config)}
server {
${indent(4, serverBlock(config))}
}`;
}

function runtimePaths(directory: string): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const lines = paths.map((name) => `${name}_temp_path ${directory}/${name};`);
  return `${lines.join("\n")}\naccess_log off;\n\n`;
}

/** The pattern of a path, ended by the query instead of the end. */
function withQuery(pattern: string): string {
  return pattern.replace(/\$$/, "(\\?|$)");
}

function upstreamBlocks(config: EdgeConfig): string {
  const names: Upstream[] = ["auth", "gateway", "console"];
  const blocks = names.flatMap((name) => {
    const servers = config.upstreams[name].map((at) => `    server ${formatEndpoint(at)};`);
    if (servers.length === 0) return [];
    const keepalive = name === "gateway" ? "" : "\n    keepalive 32;";
    return [`upstream portcullis_${name} {\n${servers.join("\n")}${keepalive}\n}`];
  });
  return blocks.join("\n");
}

function listenLines(config: EdgeConfig, suffix: string): string {
  const tls = config.tls === undefined ? "" : " ssl http2";
  return config.listen.map((at) => `listen ${formatEndpoint(at)}${tls}${suffix};`).join("\n");
}

function tlsLines(config: EdgeConfig): string {
  if (config.tls === undefined) {
    return `# For TLS, name the files under "tls" in the YAML: "listen … ssl http2" and these appear.
# ssl_certificate     /etc/portcullis/tls/fullchain.pem;
# ssl_certificate_key /etc/portcullis/tls/privkey.pem;`;
  }
  return `ssl_certificate ${config.tls.certificate};
ssl_certificate_key ${config.tls.key};
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:portcullis:10m;
ssl_session_timeout 1d;
ssl_session_tickets off;`;
}

/** With named domains, every other name is refused before any route is looked at. */
function hostGate(config: EdgeConfig): string {
  if (config.domains.length === 0) return "";
  return `
server {
${indent(4, `${listenLines(config, " default_server")}\nserver_name _;\n${tlsLines(config)}\nreturn 404;`)}
}
`;
}

function serverBlock(config: EdgeConfig): string {
  const named = config.domains.length > 0;
  return `${listenLines(config, named ? "" : " default_server")}
server_name ${named ? config.domains.join(" ") : "_"};
${tlsLines(config)}

add_header Access-Control-Allow-Origin $portcullis_own_answer always;

if ($portcullis_head = too_long) {
    return 431 "a head holds at most ${HEAD_BYTES_MAX} bytes\n";
}
if ($portcullis_route = "") {
    return 404;
}

# Each location repeats all of its headers on purpose: one proxy_set_header of its own would make
# a location lose every inherited one, and "nginx -t" would not say a word.
${publicRoutes(config)
  .map((route) => locationBlock(config, route))
  .join("\n\n")}

location / {
    return 404;
}`;
}

function locationBlock(config: EdgeConfig, route: Route): string {
  const match = route.name === "realtime" || route.name === "why" || route.name === "jwks";
  const selector = match ? `= ${literalPath(route.pattern)}` : `~ "${route.pattern}"`;
  return `location ${selector} {
${indent(4, locationBody(config, route))}
}`;
}

/** The path that a pattern without alternatives stands for. */
function literalPath(pattern: string): string {
  return pattern.slice(1, -1).replaceAll("\\", "");
}

function locationBody(config: EdgeConfig, route: Route): string {
  const { forwardedFor, realIp, scheme } = nginxClientVariables(config);
  const seconds = route.upgrade ? REALTIME_IDLE_SECONDS : REQUEST_SECONDS;
  const headers = [
    ["Host", "$host"],
    [FORWARDED_FOR, forwardedFor],
    ["X-Real-IP", realIp],
    ["X-Forwarded-Proto", scheme],
    ["Upgrade", route.upgrade ? "$portcullis_upgrade" : '""'],
    ["Connection", route.upgrade ? "$portcullis_connection" : '""'],
    // No service reads cookies, and a head of them is mostly that.
    ...["Cookie", ...claimHeaders(config)].map((name) => [name, '""']),
  ];
  return `proxy_pass http://portcullis_${route.upstream};
proxy_http_version 1.1;
${headers.map(([name, value]) => `proxy_set_header ${name} ${value};`).join("\n")}
proxy_connect_timeout 5s;
proxy_read_timeout ${seconds}s;
proxy_send_timeout ${seconds}s;${route.upgrade ? "\nproxy_buffering off;" : ""}`;
}
