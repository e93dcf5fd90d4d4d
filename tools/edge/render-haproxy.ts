import { type EdgeConfig, type Endpoint, formatEndpoint } from "./edge-config.ts";
import {
  BODY_KIB_MAX,
  DRAIN_SECONDS,
  FORWARDED_HEAD_BYTES_MAX,
  HEAD_BUFFER_BYTES,
  HEADER_LINES_MAX,
  HEADER_SECONDS,
  REALTIME_IDLE_SECONDS,
  REQUEST_SECONDS,
  type Upstream,
} from "./edge-policy.ts";
import { FORWARDED_FOR } from "./presets.ts";
import { haproxyClientRules } from "./render-haproxy-client.ts";
import { claimHeaders, indent, preamble, publicRoutes } from "./render-text.ts";

/** A body whose length is not announced is waited for; a quarter of a buffer leaves room for heads. */
const UNSIZED_BODY_BYTES_MAX = HEAD_BUFFER_BYTES / 4;

/** More lines than any service takes, so that one too many gets an answer. */
const HEADER_LINES_PARSED = 512;

/** What HAProxy answers by itself, each with a body that a browser's page may read. */
const OWN_ANSWERS = {
  400: "the request is not HTTP",
  408: "the request was not complete in time",
  500: "the edge failed",
  502: "the service gave no answer that can be passed on",
  503: "no service is reachable",
  504: "the service did not answer in time",
} as const;
const READABLE = 'hdr Access-Control-Allow-Origin "*"';

/** Renders a complete haproxy.cfg, for HAProxy 2.4 and newer. */
export function renderHaproxy(config: EdgeConfig): string {
  return `${preamble("haproxy", config)}

global
    # As a system service: where to log, and who to become once the ports are bound.
    # log /dev/log local0
    # user haproxy
    # group haproxy
    # After a reload the old process ends what it has begun, and then it ends, websockets or not.
    hard-stop-after ${DRAIN_SECONDS}s
    # A whole head must fit a buffer, cookies included, which are dropped below.
    tune.bufsize ${HEAD_BUFFER_BYTES}
    tune.http.maxhdr ${HEADER_LINES_PARSED}

defaults
    mode http
    # log global
    # option httplog
    timeout connect 5s
    timeout client ${REQUEST_SECONDS}s
    timeout server ${REQUEST_SECONDS}s
    timeout http-request ${HEADER_SECONDS}s
    timeout http-keep-alive 60s
    # A websocket ends when it was silent for three of the gateway's ping intervals.
    timeout tunnel ${REALTIME_IDLE_SECONDS}s
    # A side that vanished without closing does not keep half a connection.
    timeout client-fin 5s
    timeout server-fin 5s
    # A browser's page may read what this edge answers by itself.
${indent(4, ownAnswers())}

frontend portcullis_edge
${indent(4, frontend(config))}

${backends(config)}
`;
}

function ownAnswers(): string {
  return Object.entries(OWN_ANSWERS)
    .map(([status, text]) => {
      return `http-error status ${status} content-type text/plain string "${text}" ${READABLE}`;
    })
    .join("\n");
}

function refusal(status: number, text: string, condition: string): string {
  return `http-request return status ${status} content-type text/plain string "${text}" ${READABLE} ${condition}`;
}

function frontend(config: EdgeConfig): string {
  return `${config.listen.map((at) => bindLine(config, at)).join("\n")}
${tlsNote(config)}
${routeRules(config)}

${haproxyClientRules(config)}

# No claim of the client's own about its address gets through, nor a name that could pass for one
# further on: an underscore reads as a hyphen to some.
${claimHeaders(config)
  .map((name) => `http-request del-header ${name}`)
  .join("\n")}
http-request del-header _ -m sub
# No service reads cookies, and a head of them is mostly that.
http-request del-header Cookie

# What the edge says. set-header replaces every line of the client's; "option forwardfor" would
# add a second line behind the client's own, and "if-none" would let the client's stand.
${forwardedRules(config)}
http-request set-header X-Forwarded-Proto %[var(txn.scheme)]

# Connection is this hop's business. HAProxy passes on what it nominates, and a proxy further on
# could strip a nominated header; so it is written anew, for websockets only. Upgrade too: beside
# "websocket" a client may name other protocols, on lines of their own.
acl is_websocket req.hdr(Upgrade) -m str -i websocket
http-request del-header Connection
http-request del-header Upgrade if !route_realtime or !is_websocket
http-request set-header Connection upgrade if route_realtime is_websocket
http-request set-header Upgrade websocket if route_realtime is_websocket

${refusal(431, `a head without cookies holds at most ${FORWARDED_HEAD_BYTES_MAX} bytes`, `if { req.hdrs,length gt ${FORWARDED_HEAD_BYTES_MAX} }`)}
${refusal(431, `a head holds at most ${HEADER_LINES_MAX} lines`, `if { req.fhdr_cnt gt ${HEADER_LINES_MAX} }`)}
${refusal(413, `a body holds at most ${BODY_KIB_MAX} KiB`, `if { req.body_size gt ${BODY_KIB_MAX * 1024} }`)}
# A body in chunks does not say how long it is, and the size above is then that of what has arrived.
# So it is waited for, up to ${UNSIZED_BODY_BYTES_MAX / 1024} KiB; what has not ended by then is refused.
http-request wait-for-body time ${HEADER_SECONDS}s at-least ${UNSIZED_BODY_BYTES_MAX} unless { req.hdr(Content-Length) -m found } or route_realtime
${refusal(413, `a body of unknown length holds at most ${UNSIZED_BODY_BYTES_MAX / 1024} KiB`, `if !{ req.hdr(Content-Length) -m found } !route_realtime { req.body_len ge ${UNSIZED_BODY_BYTES_MAX} }`)}

${publicRoutes(config)
  .map((route) => `use_backend portcullis_${route.upstream} if route_${route.name}`)
  .join("\n")}`;
}

function bindLine(config: EdgeConfig, { host, port }: Endpoint): string {
  // Without v6only the socket would also take IPv4 clients, under mapped addresses.
  const family = host.includes(":") ? " v6only" : "";
  const tls = config.tls === undefined ? "" : ` ${certificate(config.tls)} alpn h2,http/1.1`;
  return `bind ${formatEndpoint({ host, port })}${family}${tls}`;
}

/** HAProxy looks for the key beside the certificate, under the certificate's name and ".key". */
function certificate(tls: { certificate: string; key: string }): string {
  return `ssl crt ${tls.certificate} ssl-min-ver TLSv1.2`;
}

function tlsNote(config: EdgeConfig): string {
  if (config.tls === undefined) {
    return `# For TLS, name the files under "tls" in the YAML: "ssl crt … alpn h2,http/1.1" appears above.
`;
  }
  return `# The key is ${config.tls.key}: put it into the certificate's file, or beside it
# under the same name with ".key" appended, where HAProxy looks for it.
`;
}

function routeRules(config: EdgeConfig): string {
  const routes = publicRoutes(config);
  const acls = routes.map((route) => `acl route_${route.name} path_reg ${route.pattern}`);
  const none = routes.map((route) => `!route_${route.name}`).join(" ");
  return `# The path is compared as the client spelled it. Everything else does not exist.
${acls.join("\n")}
${hostRule(config)}http-request deny deny_status 404 if ${none}`;
}

function hostRule(config: EdgeConfig): string {
  if (config.domains.length === 0) return "";
  return `http-request deny deny_status 404 unless { req.hdr(host),host_only -m str -i ${config.domains.join(" ")} }
`;
}

function forwardedRules(config: EdgeConfig): string {
  if (config.topology === "cdn-append") {
    // A line of its own: services join lines in order, and HAProxy cannot join them by itself.
    return `http-request del-header ${FORWARDED_FOR} if !from_cdn
http-request add-header ${FORWARDED_FOR} %[src]
# A single address would be the CDN's own, which is nobody's client.
http-request del-header X-Real-IP`;
  }
  const client = config.topology === "cdn" ? "%[var(txn.client)]" : "%[src]";
  return `http-request set-header ${FORWARDED_FOR} ${client}
http-request set-header X-Real-IP ${client}`;
}

function backends(config: EdgeConfig): string {
  const names: Upstream[] = ["auth", "gateway", "console"];
  const blocks = names.flatMap((name) => {
    const endpoints = config.upstreams[name];
    if (endpoints.length === 0) return [];
    const check = endpoints.length > 1 ? " check" : "";
    const servers = endpoints.map((at, index) => {
      return `    server ${name}${index + 1} ${formatEndpoint(at)}${check}`;
    });
    return [`backend portcullis_${name}\n${servers.join("\n")}`];
  });
  return blocks.join("\n\n");
}
