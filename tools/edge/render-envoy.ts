import { isIP } from "node:net";
import { parseCidr } from "../../services/runtime/ip-address.ts";
import type { EdgeConfig, Endpoint } from "./edge-config.ts";
import {
  BODY_KIB_MAX,
  HEAD_BYTES_MAX,
  HEADER_LINES_MAX,
  HEADER_SECONDS,
  REALTIME_IDLE_SECONDS,
  REQUEST_SECONDS,
  type Route,
  type Upstream,
} from "./edge-policy.ts";
import {
  type EnvoyVariant,
  envoyClientFilter,
  envoyIdentity,
  envoyVariants,
  headersToSet,
  type Peers,
} from "./render-envoy-client.ts";
import { claimHeaders, indent, preamble, publicRoutes } from "./render-text.ts";

/** Envoy refuses patterns beyond a size of 100 unless it is told; those of addresses are larger. */
const PATTERN_SIZE_MAX = 100_000;

/** Renders a complete static bootstrap file, for Envoy 1.24 and newer. */
export function renderEnvoy(config: EdgeConfig): string {
  const [first, ...more] = config.listen;
  const chains =
    config.topology === "direct" ? ["anybody" as const] : ["peers" as const, "anybody" as const];
  return `${preamble("envoy", config)}

layered_runtime:
  layers:
    - name: portcullis
      static_layer:
        re2.max_program_size.error_level: ${PATTERN_SIZE_MAX}

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
${peers === "peers" ? indent(2, peersMatch(config)) : ""}  filters:
    - name: envoy.filters.network.http_connection_manager
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: portcullis_from_${peers}
${indent(8, clientAddress(config, peers))}
        # The path is made plain before it is matched, and forwarded as it was matched.
        normalize_path: true
        path_with_escaped_slashes_action: REJECT_REQUEST
        # Cookies included, which are dropped below; what is longer gets 431.
        max_request_headers_kb: ${HEAD_BYTES_MAX / 1024}
        request_headers_timeout: ${HEADER_SECONDS}s
        stream_idle_timeout: ${REQUEST_SECONDS}s
        common_http_protocol_options:
          idle_timeout: 60s
          max_headers_count: ${HEADER_LINES_MAX}
          # A name with an underscore can pass for one with a hyphen further on.
          headers_with_underscores_action: DROP_HEADER
        http_filters:
${indent(10, envoyClientFilter(config, peers))}          # A longer body gets 413.
          - name: envoy.filters.http.buffer
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
              max_request_bytes: ${BODY_KIB_MAX * 1024}
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
${indent(16, routeEntries(config, peers))}
        # A browser's page may read what this edge answers by itself.
        local_reply_config:
          mappers:
            - filter:
                status_code_filter:
                  comparison:
                    op: GE
                    value: { default_value: 400, runtime_key: portcullis.own_answers_from }
              headers_to_add:
${indent(14, headersToSet(["Access-Control-Allow-Origin"], "*"))}
${indent(2, transportSocket(config))}`.trimEnd();
}

function peersMatch(config: EdgeConfig): string {
  const ranges = config.front.peers.map((text) => {
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
    return `# The client is the peer: Envoy takes nobody's word, and the routes below replace the list.
use_remote_address: true
skip_xff_append: true`;
  }
  if (config.topology === "cdn-append") {
    return `# The peers' list is kept and Envoy adds the peer's address, so services count two hops. They may
# have ended TLS: a trusted hop keeps X-Forwarded-Proto.
use_remote_address: true
xff_num_trusted_hops: 1
skip_xff_append: false`;
  }
  return `# The peers say who the client is: a filter and the routes below find it, whatever its form. They
# may have ended TLS: a trusted hop keeps X-Forwarded-Proto.
use_remote_address: true
xff_num_trusted_hops: ${config.front.entries}
skip_xff_append: true`;
}

function requestHeaders(config: EdgeConfig, peers: Peers): string {
  const appends = config.topology === "cdn-append";
  const removed = [...claimHeaders(config), ...(appends ? ["X-Real-IP"] : []), "Cookie"];
  return `# What the edge says replaces every line of the client's; its other claims are taken away, and
# cookies, which no service reads.
${envoyIdentity(config, peers)}request_headers_to_remove:
${removed.map((name) => `  - ${name}`).join("\n")}`;
}

function domains(config: EdgeConfig): string {
  if (config.domains.length === 0) return '"*"';
  return config.domains.map((name) => `"${name}", "${name}:*"`).join(", ");
}

function routeEntries(config: EdgeConfig, peers: Peers): string {
  const variants = envoyVariants(config, peers);
  const entries = variants.flatMap((variant) => {
    return publicRoutes(config).map((route) => routeEntry(route, variant));
  });
  return entries.join("\n");
}

function routeEntry(route: Route, { condition, identity }: EnvoyVariant): string {
  const match = `- name: ${route.name}
  match:
    safe_regex: { regex: '${route.pattern}' }
${condition === "" ? "" : `${indent(4, condition)}\n`}${identity === "" ? "" : `${indent(2, identity)}\n`}  route:
    cluster: portcullis_${route.upstream}`;
  if (!route.upgrade) return `${match}\n    timeout: ${REQUEST_SECONDS}s`;
  return `${match}
    # The one route with an upgrade. Envoy answers 403 to upgrades elsewhere, and refuses a request
    # whose Connection header nominates X-Forwarded-For.
    upgrade_configs:
      - upgrade_type: websocket
    timeout: 0s
    idle_timeout: ${REALTIME_IDLE_SECONDS}s
  typed_per_filter_config:
    # A websocket has no end to wait for.
    envoy.filters.http.buffer:
      "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute
      disabled: true`;
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
