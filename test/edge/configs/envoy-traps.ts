import type { PlantedTrap } from "./planted-traps.ts";

export const ENVOY_TRAPS: readonly PlantedTrap[] = [
  {
    name: "a limiter that may be absent",
    replace: "      failure_mode_deny: true\n",
    by: "",
    rule: "rate-limit-fails-open",
    at: '"@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit',
  },
  {
    name: "a limiter that may be absent, in so many words",
    replace: "      failure_mode_deny: true\n",
    by: "      failure_mode_deny: false\n",
    rule: "rate-limit-fails-open",
    at: "failure_mode_deny: false",
  },
  {
    name: "Envoy's own 20 ms for a decision",
    replace: "      timeout: 0.5s\n",
    by: "",
    rule: "rate-limit-timeout",
    at: '"@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit',
  },
  {
    name: "a minute for a decision",
    replace: "      timeout: 0.5s\n",
    by: "      timeout: 60s\n",
    rule: "rate-limit-timeout",
    at: "timeout: 60s",
  },
];

const ENVOY_FORWARDED = `                    - header: { key: X-Forwarded-For, value: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" }
                      append_action: OVERWRITE_IF_EXISTS_OR_ADD
`;
const ENVOY_ADDITIONS = "                  request_headers_to_add:\n";
const ENVOY_WHY = "                            safe_regex: { regex: '^/gateway/realtime/why$' }\n";

export const ENVOY_EDGE_TRAPS: readonly PlantedTrap[] = [
  {
    name: "the address appended, as Envoy does when it is not told",
    replace: "                      append_action: OVERWRITE_IF_EXISTS_OR_ADD\n",
    by: "",
    rule: "appended-forwarded-for",
    at: "key: X-Forwarded-For",
  },
  {
    name: "every path forwarded",
    replace: "                            safe_regex: { regex: '^/gateway/realtime/why$' }\n",
    by: '                            prefix: "/"\n',
    rule: "internal-route-exposed",
    at: "- name: why",
  },
  {
    name: "no upgrade on the websocket's route",
    replace: `                            upgrade_configs:
                              - upgrade_type: websocket
`,
    by: "",
    rule: "upgrade-missing",
    at: "- name: realtime",
  },
  {
    name: "Forwarded kept",
    replace: "                    - Forwarded\n",
    by: "",
    rule: "claim-header-kept",
    at: "name: portcullis_from_anybody",
  },
  {
    name: "a trusted hop where there is none",
    replace: "                skip_xff_append: true\n",
    by: "                skip_xff_append: true\n                xff_num_trusted_hops: 1\n",
    rule: "topology-mismatch",
    at: "xff_num_trusted_hops",
  },
  {
    name: "X-Forwarded-For from another header of the client's",
    replace: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    by: "%REQ(X-FOO)%",
    rule: "passed-through-forwarded-for",
    at: "%REQ(X-FOO)%",
  },
  {
    name: "a list written by hand",
    replace: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    by: "%REQ(X-FORWARDED-FOR)%, %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    rule: "appended-forwarded-for",
    at: "%REQ(X-FORWARDED-FOR)%",
  },
  {
    name: "a constant for everybody",
    replace: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    by: "10.0.0.1",
    rule: "missing-forwarded-for",
    at: "10.0.0.1",
  },
  {
    name: "replaced only when absent",
    replace: "                      append_action: OVERWRITE_IF_EXISTS_OR_ADD\n",
    by: "                      append_action: ADD_IF_ABSENT\n",
    rule: "conditional-forwarded-for",
    at: "key: X-Forwarded-For",
  },
  {
    name: "the address told to the client, and not to the service",
    replace: `${ENVOY_ADDITIONS}${ENVOY_FORWARDED}`,
    by: `                  response_headers_to_add:\n${ENVOY_FORWARDED}${ENVOY_ADDITIONS}`,
    rule: "passed-through-forwarded-for",
    at: "skip_xff_append",
  },
  {
    name: "the address replaced on one route alone",
    replace: ENVOY_FORWARDED,
    by: "",
    and: {
      replace: "                        - name: jwks\n",
      by: `                        - name: jwks
                          request_headers_to_add:
                            - header: { key: X-Forwarded-For, value: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" }
                              append_action: OVERWRITE_IF_EXISTS_OR_ADD
`,
    },
    rule: "passed-through-forwarded-for",
    at: "skip_xff_append",
  },
  {
    name: "replaced again on one route, which is what counts when the most specific wins",
    replace: "                        - name: jwks\n",
    by: `                        - name: jwks
                          request_headers_to_add:
                            - header: { key: X-Forwarded-For, value: "%REQ(X-FOO)%" }
                              append_action: OVERWRITE_IF_EXISTS_OR_ADD
`,
    and: {
      replace: "                  name: portcullis_from_anybody\n",
      by: "                  name: portcullis_from_anybody\n                  most_specific_header_mutations_wins: true\n",
    },
    rule: "passed-through-forwarded-for",
    at: "%REQ(X-FOO)%",
  },
  {
    name: "taken away again by the whole configuration",
    replace: "                    - Forwarded\n",
    by: "                    - Forwarded\n                    - x-forwarded-for\n",
    and: {
      replace: `${ENVOY_ADDITIONS}${ENVOY_FORWARDED}`,
      by: ENVOY_ADDITIONS,
    },
    rule: "missing-forwarded-for",
    at: "name: portcullis_from_anybody",
  },
  {
    name: "no X-Real-IP",
    replace: "{ key: X-Real-IP,",
    by: "{ key: X-Real-Address,",
    rule: "identity-header-missing",
    at: "name: portcullis_from_anybody",
  },
  {
    name: "X-Real-IP appended",
    replace: `{ key: X-Real-IP, value: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" }
                      append_action: OVERWRITE_IF_EXISTS_OR_ADD
`,
    by: `{ key: X-Real-IP, value: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" }
`,
    rule: "identity-header-missing",
    at: "name: portcullis_from_anybody",
  },
  {
    name: "the client's own list believed by Envoy",
    replace: "                use_remote_address: true\n",
    by: "                use_remote_address: false\n",
    rule: "trusts-everyone",
    at: "use_remote_address: false",
  },
  {
    name: "whoever connects names an address in a header",
    replace: "                skip_xff_append: true\n",
    by: `                skip_xff_append: true
                original_ip_detection_extensions:
                  - name: envoy.http.original_ip_detection.custom_header
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig
                      header_name: X-Foo
`,
    rule: "trusts-everyone",
    at: "custom_header",
  },
  {
    name: "whoever connects trusted as CDN",
    topology: "cdn",
    replace: "                skip_xff_append: true\n",
    by: "                skip_xff_append: true\n                xff_num_trusted_hops: 1\n",
    rule: "trusts-everyone",
    at: "xff_num_trusted_hops",
  },
  {
    name: "everybody's range for the CDN's",
    topology: "cdn",
    replace: "        - name: from_anybody\n",
    by: `        - name: from_anybody
          filter_chain_match:
            direct_source_prefix_ranges:
              - { address_prefix: "0.0.0.0", prefix_len: 0 }
`,
    rule: "trusts-everyone",
    at: "prefix_len: 0",
  },
  {
    name: "a CDN treated like everybody in topology cdn",
    topology: "cdn",
    replace: "                use_remote_address: true\n",
    by: "                use_remote_address: true # and no hops\n",
    rule: "topology-mismatch",
    at: '"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager',
  },
  {
    name: "paths matched as they were spelled",
    replace: "                normalize_path: true\n",
    by: "                normalize_path: false\n",
    rule: "internal-route-exposed",
    at: "normalize_path: false",
  },
  {
    name: "a pattern without regard to case, which reaches further than meant",
    replace: ENVOY_WHY,
    by: "                            safe_regex: { regex: '(?i)/(gateway|internal|portcullis).*' }\n",
    rule: "internal-route-exposed",
    at: "- name: why",
  },
  {
    name: "a pattern that cannot be read here",
    replace: ENVOY_WHY,
    by: "                            safe_regex: { regex: '/[[:alpha:]]+/.*' }\n",
    rule: "internal-route-exposed",
    at: "- name: why",
  },
  {
    name: "a template",
    replace: ENVOY_WHY,
    by: `                            path_match_policy:
                              name: envoy.path.match.uri_template.uri_template_matcher
`,
    rule: "internal-route-exposed",
    at: "- name: why",
  },
  {
    name: "internal endpoints for those who know a header, in front of a route that refuses them",
    replace: "                        - name: api\n",
    by: `                        - name: admin
                          match: { prefix: "/internal/", headers: [{ name: x-admin, present_match: true }] }
                          route: { cluster: portcullis_auth }
                        - name: api
`,
    rule: "internal-route-exposed",
    at: "- name: admin",
  },
  {
    name: "refused for those who know a header, and forwarded for others",
    replace: "                        - name: api\n",
    by: `                        - name: closed
                          match: { prefix: "/", headers: [{ name: x-probe, present_match: true }] }
                          direct_response: { status: 404 }
                        - name: rest
                          match: { prefix: "/internal/" }
                          route: { cluster: portcullis_auth }
                        - name: api
`,
    rule: "internal-route-exposed",
    at: "- name: rest",
  },
  {
    name: "a prefix taken away",
    replace: "                        - name: api\n",
    by: `                        - name: old
                          match: { prefix: "/api/" }
                          route: { cluster: portcullis_auth, prefix_rewrite: "/" }
                        - name: api
`,
    rule: "internal-route-exposed",
    at: "- name: old",
  },
  {
    name: "a path rearranged",
    replace: "                        - name: api\n",
    by: `                        - name: old
                          match: { prefix: "/api/" }
                          route:
                            cluster: portcullis_auth
                            regex_rewrite: { pattern: { regex: "^/api(/.*)" }, substitution: '\\1' }
                        - name: api
`,
    rule: "internal-route-exposed",
    at: "- name: old",
  },
  {
    name: "an upgrade to something else than a websocket",
    replace: "                              - upgrade_type: websocket\n",
    by: "                              - upgrade_type: CONNECT\n",
    rule: "upgrade-missing",
    at: "- name: realtime",
  },
  {
    name: "a script among the filters",
    replace: "                  - name: envoy.filters.http.router\n",
    by: `                  - name: envoy.filters.http.lua
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
                  - name: envoy.filters.http.router
`,
    rule: "not-followed",
    at: "filters.http.lua.v3.Lua",
  },
  {
    name: "routes that come from elsewhere",
    replace: "                route_config:\n",
    by: "                rds: { route_config_name: portcullis }\n                unused:\n",
    rule: "not-followed",
    at: "rds",
  },
  {
    name: "the gateway's port for publishers",
    replace: "port_value: 8001",
    by: "port_value: 8002",
    rule: "private-port",
    at: "port_value: 8002",
  },
];
