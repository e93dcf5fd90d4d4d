/** The default of the limiter's own callers: above its decision timeout, below any user's patience. */
const TIMEOUT_SECONDS = 0.5;

/**
 * Renders the part of an Envoy configuration that asks the limiter before it forwards. It is the
 * same for every deployment, except for the limiter's address and the token.
 */
export function renderEnvoyRateLimit(): string {
  return `# Portcullis limiter for Envoy, and for what is built on it (Istio, Contour): three pieces to put
# into a configuration of your own.
#
# Envoy lets requests pass when it gets no decision, unless it is told otherwise; this says
# otherwise. The client's address in the descriptor is the one that Envoy itself trusts, so
# use_remote_address and xff_num_trusted_hops must fit the topology, as in the files beside this.

# 1. Before envoy.filters.http.router, under http_filters:
http_filters:
  - name: envoy.filters.http.ratelimit
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
      domain: portcullis
      # No decision is a refusal: 503, which is not the 429 of a limit.
      failure_mode_deny: true
      status_on_error: { code: ServiceUnavailable }
      timeout: ${TIMEOUT_SECONDS}s
      rate_limit_service:
        transport_api_version: V3
        grpc_service:
          envoy_grpc: { cluster_name: portcullis_limiter }
          timeout: ${TIMEOUT_SECONDS}s
          # The limiter answers nobody without a service token.
          initial_metadata:
            - { key: authorization, value: "Bearer REPLACE-WITH-A-SERVICE-TOKEN" }

# 2. On each route that is limited, under route: the policy, and the address as its key.
rate_limits:
  - actions:
      - generic_key: { descriptor_key: policy, descriptor_value: login.ip }
      - remote_address: {}

# 3. Under clusters: the limiter's gRPC port.
clusters:
  - name: portcullis_limiter
    type: STRICT_DNS
    connect_timeout: ${TIMEOUT_SECONDS}s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment:
      cluster_name: portcullis_limiter
      endpoints:
        - lb_endpoints:
            - endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: 4003 } } }
`;
}
