import { isIP } from "node:net";
import { parseCidr } from "../../services/runtime/ip-address.ts";
import { type EdgeConfig, type Endpoint, FORWARDED_FOR } from "./edge-config.ts";
import {
  CLAIM_HEADERS,
  GATEWAY_HEAD_BYTES_MAX,
  HEADER_LINES_MAX,
  HEADER_SECONDS,
  REALTIME_IDLE_SECONDS,
  REQUEST_SECONDS,
  type Route,
  type Upstream,
} from "./edge-policy.ts";
import { indent, preamble, publicRoutes } from "./render-text.ts";

/** Which connections a filter chain is for: all others, or those that come from the CDN. */
type Peers = "anybody" | "cdn";

/** Renders a complete static bootstrap file, for Envoy 1.24 and newer. */
export function renderEnvoy(config: EdgeConfig): string {
  const [first, ...more] = config.listen;
  const chains =
    config.topology === "direct" ? ["anybody" as const] : ["cdn" as const, "anybody" as const];
  return `${preamble("envoy", config)}

static_resources:
  listeners:
    - name: portcullis_edge
      address:
        socket_address: ${socketAddress(first ?? { host: "0.0.0.0", port: 8080 })}
${additionalAddresses(more)}      # A client that does not read cannot make the edge keep more than this for it.
      per_connection_buffer_limit_bytes: 32768
      filter_chains:
${indent(8, chains.map((peers) => filterChain(config, peers)).join("\n"))}

  clusters:
${indent(4, clusters(config))}
`;
}

function socketAddress({ host, port }: Endpoint): string {
  return `{ address: "${host}", port_value: ${port} }`;
}

function additionalAddresses(endpoints: readonly Endpoint[]): string {
  if (endpoints.length === 0) return "";
  const items = endpoints.map((at) => `- address:\n    socket_address: ${socketAddress(at)}`);
  return `      additional_addresses:\n${indent(8, items.join("\n"))}\n`;
}

function filterChain(config: EdgeConfig, peers: Peers): string {
  return `- name: from_${peers}
${peers === "cdn" ? indent(2, peersMatch(config)) : ""}  filters:
    - name: envoy.filters.network.http_connection_manager
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: portcullis_from_${peers}
${indent(8, clientAddress(config, peers))}
        # The path is made plain before it is matched, and forwarded as it was matched.
        normalize_path: true
        path_with_escaped_slashes_action: REJECT_REQUEST
        # The gateway keeps a head of ${GATEWAY_HEAD_BYTES_MAX} bytes and 48 lines.
        max_request_headers_kb: ${GATEWAY_HEAD_BYTES_MAX / 1024}
        request_headers_timeout: ${HEADER_SECONDS}s
        stream_idle_timeout: ${REQUEST_SECONDS}s
        common_http_protocol_options:
          idle_timeout: 60s
          max_headers_count: ${HEADER_LINES_MAX}
          # A name with an underscore can pass for one with a hyphen further on.
          headers_with_underscores_action: DROP_HEADER
        http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
        route_config:
          name: portcullis_from_${peers}
${indent(10, requestHeaders(config, peers))}
          virtual_hosts:
            - name: portcullis
              domains: [${domains(config)}]
              # No other route exists; Envoy answers 404.
              routes:
${indent(16, publicRoutes(config).map(routeEntry).join("\n"))}
${indent(2, transportSocket(config))}`.trimEnd();
}

function peersMatch(config: EdgeConfig): string {
  const ranges = config.cdn.cidrs.map((text) => {
    const [address = "", bits] = text.split("/", 2);
    const prefix = bits ?? String(parseCidr(text)?.prefixBits ?? 128);
    return `- { address_prefix: "${address}", prefix_len: ${prefix} }`;
  });
  return `filter_chain_match:
  # Only these peers are believed to speak for clients.
  direct_source_prefix_ranges:
${indent(4, ranges.join("\n"))}
`;
}

function clientAddress(config: EdgeConfig, peers: Peers): string {
  if (peers === "anybody") {
    return `# The client is the peer: Envoy takes nobody's word, and the route below replaces the list.
use_remote_address: true
skip_xff_append: true`;
  }
  if (config.topology === "cdn-append") {
    return `# The CDN's list is kept and Envoy adds the CDN's address, so services count two hops.
use_remote_address: true
skip_xff_append: false`;
  }
  if (config.cdn.header === FORWARDED_FOR) {
    return `# The client is the last entry, the address that connected to the CDN; entries further left
# are the client's own words.
use_remote_address: true
xff_num_trusted_hops: 1
skip_xff_append: true`;
  }
  return `# The client is the one address in the CDN's header; without it, the peer.
use_remote_address: false
skip_xff_append: true
original_ip_detection_extensions:
  - name: envoy.http.original_ip_detection.custom_header
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig
      header_name: ${config.cdn.header}`;
}

function requestHeaders(config: EdgeConfig, peers: Peers): string {
  const appends = config.topology === "cdn-append";
  const source = peers === "cdn" ? "DOWNSTREAM_REMOTE_ADDRESS" : "DOWNSTREAM_DIRECT_REMOTE_ADDRESS";
  const client = `%${source}_WITHOUT_PORT%`;
  const set = [
    ...(appends && peers === "cdn" ? [] : [[FORWARDED_FOR, client]]),
    // Behind cdn-append a single address would mostly be the CDN's own, which is nobody's client.
    ...(appends ? [] : [["X-Real-IP", client]]),
    ["X-Forwarded-Proto", config.tls === undefined ? "http" : "https"],
  ];
  const remove = [...CLAIM_HEADERS, ...(appends ? ["X-Real-IP"] : [])];
  return `# What the edge says replaces every line of the client's; its other claims are taken away.
request_headers_to_add:
${set
  .map(
    ([key, value]) => `  - header: { key: ${key}, value: "${value}" }
    append_action: OVERWRITE_IF_EXISTS_OR_ADD`,
  )
  .join("\n")}
request_headers_to_remove:
${remove.map((name) => `  - ${name}`).join("\n")}`;
}

function domains(config: EdgeConfig): string {
  if (config.domains.length === 0) return '"*"';
  return config.domains.map((name) => `"${name}", "${name}:*"`).join(", ");
}

function routeEntry(route: Route): string {
  const match = `- name: ${route.name}
  match:
    safe_regex: { regex: '${route.pattern}' }
  route:
    cluster: portcullis_${route.upstream}`;
  if (!route.upgrade) return `${match}\n    timeout: ${REQUEST_SECONDS}s`;
  return `${match}
    # The one route with an upgrade. Envoy answers 403 to upgrades elsewhere, and refuses a request
    # whose Connection header nominates X-Forwarded-For.
    upgrade_configs:
      - upgrade_type: websocket
    timeout: 0s
    idle_timeout: ${REALTIME_IDLE_SECONDS}s`;
}

function transportSocket(config: EdgeConfig): string {
  if (config.tls === undefined) {
    return `# For TLS, name the files under "tls" in the YAML: a transport_socket appears here.`;
  }
  return `transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
    common_tls_context:
      alpn_protocols: [h2, http/1.1]
      tls_params:
        tls_minimum_protocol_version: TLSv1_2
      tls_certificates:
        - certificate_chain: { filename: ${config.tls.certificate} }
          private_key: { filename: ${config.tls.key} }`;
}

function clusters(config: EdgeConfig): string {
  const names: Upstream[] = ["auth", "gateway", "console"];
  const used = names.filter((name) => config.upstreams[name].length > 0);
  return used.map((name) => cluster(name, config.upstreams[name])).join("\n");
}

function cluster(name: Upstream, endpoints: readonly Endpoint[]): string {
  const type = endpoints.every(({ host }) => isIP(host) !== 0) ? "STATIC" : "STRICT_DNS";
  return `- name: portcullis_${name}
  type: ${type}
  connect_timeout: 5s
  load_assignment:
    cluster_name: portcullis_${name}
    endpoints:
      - lb_endpoints:
${endpoints
  .map((at) => `          - endpoint: { address: { socket_address: ${socketAddress(at)} } }`)
  .join("\n")}`;
}
