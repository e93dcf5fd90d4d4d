import type { Topology } from "../../../tools/edge/edge-config.ts";
import type { Rule } from "../../../tools/edge/lint/finding.ts";

/** One trap, planted into a configuration that has none. */
export type PlantedTrap = {
  name: string;
  topology?: Topology;
  /** What of the good configuration is replaced, at its first occurrence, and by what. */
  replace: string;
  by: string;
  /** A second place that has to change with it. */
  and?: { replace: string; by: string };
  /** The rule that must find it, alone, and a part of the line it must point at. */
  rule: Rule;
  at: string;
};

const NGINX_HEADERS = `        proxy_set_header X-Forwarded-For $remote_addr;
`;
const NGINX_JWKS = `        location = /.well-known/jwks.json {
            proxy_pass http://auth;`;
const NGINX_REALTIME = `            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Real-IP $remote_addr;`;
const REAL_IP = `        listen 443 ssl http2;
        real_ip_header X-Forwarded-For;
        set_real_ip_from 198.51.100.0/24;`;

export const NGINX_TRAPS: readonly PlantedTrap[] = [
  {
    name: "a location with one header of its own",
    replace: NGINX_JWKS,
    by: `${NGINX_JWKS}\n            proxy_set_header X-Request-Source edge;`,
    rule: "inherited-headers-lost",
    at: "X-Request-Source",
  },
  {
    name: "a location inside a location, with one header of its own",
    replace: NGINX_JWKS,
    by: `        location /.well-known/ {
            location = /.well-known/openid-configuration {
                proxy_set_header X-Debug 1;
                proxy_pass http://auth;
            }
            proxy_pass http://auth;`,
    rule: "inherited-headers-lost",
    at: "X-Debug",
  },
  {
    name: "no X-Forwarded-For at all",
    replace: NGINX_HEADERS,
    by: "",
    rule: "missing-forwarded-for",
    at: "proxy_pass http://auth;",
  },
  {
    name: "no X-Forwarded-For on the websocket alone",
    replace: NGINX_REALTIME,
    by: "            proxy_set_header X-Real-IP $remote_addr;",
    rule: "inherited-headers-lost",
    at: "proxy_set_header Upgrade",
  },
  {
    name: "$proxy_add_x_forwarded_for",
    replace: NGINX_HEADERS,
    by: "        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n",
    rule: "appended-forwarded-for",
    at: "$proxy_add_x_forwarded_for",
  },
  {
    name: "$proxy_add_x_forwarded_for on the websocket, in braces and another spelling",
    replace: NGINX_REALTIME,
    by: `            proxy_set_header x-forwarded-for "\${proxy_add_x_forwarded_for}";
            proxy_set_header X-Real-IP $remote_addr;`,
    rule: "appended-forwarded-for",
    at: "proxy_add_x_forwarded_for",
  },
  {
    name: "a list written by hand",
    replace: NGINX_HEADERS,
    by: '        proxy_set_header X-Forwarded-For "$http_x_forwarded_for, $remote_addr";\n',
    rule: "appended-forwarded-for",
    at: "$http_x_forwarded_for, $remote_addr",
  },
  {
    name: "the client's header passed on",
    replace: NGINX_HEADERS,
    by: "        proxy_set_header X-Forwarded-For $http_x_forwarded_for;\n",
    rule: "passed-through-forwarded-for",
    at: "$http_x_forwarded_for",
  },
  {
    name: "a map that cuts out the leftmost entry",
    replace: "    upstream auth {",
    by: `    map $http_x_forwarded_for $first {
        default $remote_addr;
        "~^(?<leftmost>[0-9.]+)" $leftmost;
    }
    upstream auth {`,
    and: {
      replace: NGINX_HEADERS,
      by: "        proxy_set_header X-Forwarded-For $first;\n",
    },
    rule: "passed-through-forwarded-for",
    at: "proxy_set_header X-Forwarded-For $first",
  },
  {
    name: "a constant for everybody",
    replace: NGINX_HEADERS,
    by: "        proxy_set_header X-Forwarded-For 10.0.0.1;\n",
    rule: "missing-forwarded-for",
    at: "X-Forwarded-For 10.0.0.1",
  },
  {
    name: "two lines",
    replace: NGINX_HEADERS,
    by: `${NGINX_HEADERS}        proxy_set_header X-Forwarded-For $remote_addr; # again\n`,
    rule: "repeated-forwarded-for",
    at: "# again",
  },
  {
    name: "no X-Real-IP",
    replace: "        proxy_set_header X-Real-IP $remote_addr;\n",
    by: "",
    rule: "identity-header-missing",
    at: "proxy_pass http://auth;",
  },
  {
    name: "the client's X-Forwarded-Proto",
    replace: "        proxy_set_header X-Forwarded-Proto $scheme;",
    by: "        proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;",
    rule: "identity-header-missing",
    at: "proxy_pass http://auth;",
  },
  {
    name: "Forwarded not deleted",
    replace: '        proxy_set_header Forwarded "";\n',
    by: "",
    rule: "claim-header-kept",
    at: "proxy_pass http://auth;",
  },
  {
    name: "True-Client-IP filled in from the client's CF-Connecting-IP",
    replace: '        proxy_set_header True-Client-IP "";',
    by: "        proxy_set_header True-Client-IP $http_cf_connecting_ip;",
    rule: "claim-header-kept",
    at: "proxy_pass http://auth;",
  },
  {
    name: "no Upgrade on the websocket",
    replace: "            proxy_set_header Upgrade $http_upgrade;\n",
    by: "",
    rule: "upgrade-missing",
    at: "proxy_pass http://gateway;",
  },
  {
    name: "Connection emptied on the websocket",
    replace: "            proxy_set_header Connection $connection_upgrade;",
    by: '            proxy_set_header Connection "";',
    rule: "upgrade-missing",
    at: "proxy_pass http://gateway;",
  },
  {
    name: "HTTP/1.0 to the gateway",
    replace: "        proxy_http_version 1.1;\n",
    by: "",
    rule: "upgrade-missing",
    at: "proxy_pass http://gateway;",
  },
  {
    name: "upgrades everywhere",
    replace: '        proxy_set_header Connection "";',
    by: "        proxy_set_header Upgrade $http_upgrade;\n        proxy_set_header Connection $connection_upgrade;",
    rule: "upgrade-everywhere",
    at: "proxy_set_header Upgrade $http_upgrade",
  },
  {
    name: "the client's Connection passed on",
    replace: '        proxy_set_header Connection "";',
    by: "        proxy_set_header Connection $http_connection;",
    rule: "nominated-headers",
    at: "$http_connection",
  },
  {
    name: "a catch-all that forwards",
    replace: "            return 404;",
    by: "            proxy_pass http://auth/;",
    rule: "internal-route-exposed",
    at: "proxy_pass http://auth/;",
  },
  {
    name: "a pattern that is not anchored",
    replace: "location /portcullis.auth.v1.AuthService/ {",
    by: 'location ~ "(AuthService|LimiterService)/" {',
    rule: "internal-route-exposed",
    at: "proxy_pass http://auth;",
  },
  {
    name: "the internal endpoints, for the gateway's convenience",
    replace: "        location / {",
    by: `        location /internal/ {
            proxy_pass http://auth; # internal
        }
        location / {`,
    rule: "internal-route-exposed",
    at: "# internal",
  },
  {
    name: "everybody trusted as CDN",
    topology: "cdn",
    replace: "        listen 443 ssl http2;",
    by: `${REAL_IP}\n        set_real_ip_from 0.0.0.0/0;`,
    rule: "trusts-everyone",
    at: "0.0.0.0/0",
  },
  {
    name: "a CDN believed in topology direct",
    topology: "direct",
    replace: "        listen 443 ssl http2;",
    by: REAL_IP,
    rule: "topology-mismatch",
    at: "set_real_ip_from",
  },
  {
    name: "a CDN not resolved in topology cdn",
    topology: "cdn",
    replace: "worker_processes 2;",
    by: "worker_processes 4;",
    rule: "topology-mismatch",
    at: "X-Forwarded-For $remote_addr",
  },
  {
    name: "the header of the CDN left to chance",
    topology: "cdn",
    replace: "        listen 443 ssl http2;",
    by: "        listen 443 ssl http2;\n        set_real_ip_from 198.51.100.0/24;",
    rule: "real-ip-header-default",
    at: "set_real_ip_from",
  },
  {
    name: "two hops said to be one, in a comment that somebody will follow",
    topology: "direct",
    replace: "worker_processes 2;",
    by: "worker_processes 2; # the services have API_TRUST_PROXY_HOPS=2",
    rule: "hops-mismatch",
    at: "API_TRUST_PROXY_HOPS=2",
  },
  {
    name: "the PROXY protocol at the door",
    replace: "        listen 443 ssl http2;",
    by: "        listen 443 ssl http2 proxy_protocol;",
    rule: "proxy-protocol",
    at: "proxy_protocol",
  },
  {
    name: "underscores in header names",
    replace: "    large_client_header_buffers 4 4k;",
    by: "    large_client_header_buffers 4 4k;\n    underscores_in_headers on;",
    rule: "odd-headers-passed",
    at: "underscores_in_headers",
  },
  {
    name: "headers longer than any service takes",
    replace: "    large_client_header_buffers 4 4k;",
    by: "    large_client_header_buffers 8 64k;",
    rule: "header-limit-too-large",
    at: "8 64k",
  },
  {
    name: "websockets cut between pings",
    replace: "            proxy_read_timeout 90s;",
    by: "            proxy_read_timeout 20s;",
    rule: "realtime-timeout-short",
    at: "proxy_read_timeout 20s",
  },
  {
    name: "the decoded path forwarded",
    replace: NGINX_JWKS,
    by: `        location = /.well-known/jwks.json {
            proxy_pass http://auth$uri;`,
    rule: "decoded-uri",
    at: "$uri",
  },
  {
    name: "the gateway behind a stream",
    replace: "http {",
    by: `stream {
    server {
        listen 8443;
        proxy_pass 10.0.0.2:8001;
    }
}
http {`,
    rule: "tcp-mode",
    at: "proxy_pass 10.0.0.2:8001;",
  },
  {
    name: "a semicolon too few",
    replace: "            proxy_read_timeout 90s;",
    by: "            proxy_read_timeout 90s",
    rule: "syntax",
    at: "proxy_read_timeout 90s",
  },
  {
    name: "a quote that is never closed",
    replace: "    map $http_upgrade $connection_upgrade {",
    by: '    log_format x "open;\n    map $http_upgrade $connection_upgrade {',
    rule: "syntax",
    at: "",
  },
];

const HAPROXY_FORWARDED = "    http-request set-header X-Forwarded-For %[src]\n";

export const HAPROXY_TRAPS: readonly PlantedTrap[] = [
  {
    name: "option forwardfor instead of set-header",
    replace: HAPROXY_FORWARDED,
    by: "    option forwardfor\n",
    rule: "forwardfor-adds-line",
    at: "option forwardfor",
  },
  {
    name: "option forwardfor if-none",
    replace: HAPROXY_FORWARDED,
    by: "    option forwardfor if-none\n",
    rule: "forwardfor-if-none",
    at: "if-none",
  },
  {
    name: "option forwardfor in the defaults, besides set-header",
    replace: "    mode http\n",
    by: "    mode http\n    option forwardfor except 127.0.0.0/8\n",
    rule: "repeated-forwarded-for",
    at: "option forwardfor",
  },
  {
    name: "no X-Forwarded-For at all",
    replace: HAPROXY_FORWARDED,
    by: "",
    rule: "missing-forwarded-for",
    at: "frontend public",
  },
  {
    name: "add-header",
    replace: HAPROXY_FORWARDED,
    by: "    http-request add-header X-Forwarded-For %[src]\n",
    rule: "appended-forwarded-for",
    at: "add-header",
  },
  {
    name: "the client's header passed on",
    replace: HAPROXY_FORWARDED,
    by: "    http-request set-header X-Forwarded-For %[req.hdr(X-Forwarded-For)]\n",
    rule: "passed-through-forwarded-for",
    at: "req.hdr(X-Forwarded-For)",
  },
  {
    name: "a variable filled from the client's header",
    replace: HAPROXY_FORWARDED,
    by: `    http-request set-var(txn.ip) req.hdr_ip(X-Forwarded-For,1)
    http-request set-header X-Forwarded-For %[var(txn.ip)]
`,
    rule: "passed-through-forwarded-for",
    at: "%[var(txn.ip)]",
  },
  {
    name: "a connection's address taken from a header",
    replace: HAPROXY_FORWARDED,
    by: `    http-request set-src hdr_ip(X-Real-IP)
${HAPROXY_FORWARDED}`,
    rule: "passed-through-forwarded-for",
    at: "set-header X-Forwarded-For",
  },
  {
    name: "replaced for the API alone",
    replace: HAPROXY_FORWARDED,
    by: "    http-request set-header X-Forwarded-For %[src] if is_api\n",
    rule: "conditional-forwarded-for",
    at: "if is_api",
  },
  {
    name: "replaced only when absent",
    replace: HAPROXY_FORWARDED,
    by: "    http-request set-header X-Forwarded-For %[src] unless { req.hdr(X-Forwarded-For) -m found }\n",
    rule: "conditional-forwarded-for",
    at: "-m found",
  },
  {
    name: "allowed before it is replaced",
    replace: HAPROXY_FORWARDED,
    by: `    http-request allow if is_realtime
${HAPROXY_FORWARDED}`,
    rule: "skipped-by-allow",
    at: "http-request allow",
  },
  {
    name: "deleted and not set",
    replace: HAPROXY_FORWARDED,
    by: "    http-request del-header X-Forwarded-For\n",
    rule: "missing-forwarded-for",
    at: "del-header X-Forwarded-For",
  },
  {
    name: "no X-Real-IP",
    replace: "    http-request set-header X-Real-IP %[src]\n",
    by: "",
    rule: "identity-header-missing",
    at: "frontend public",
  },
  {
    name: "Forwarded kept",
    replace: "    http-request del-header Forwarded\n",
    by: "",
    rule: "claim-header-kept",
    at: "frontend public",
  },
  {
    name: "a CDN's header deleted only sometimes",
    replace: "    http-request del-header CF-Connecting-IP\n",
    by: "    http-request del-header CF-Connecting-IP if is_api\n",
    rule: "claim-header-kept",
    at: "frontend public",
  },
  {
    name: "Upgrade deleted everywhere",
    replace: "    http-request del-header Forwarded\n",
    by: "    http-request del-header Forwarded\n    http-request del-header Upgrade\n",
    rule: "upgrade-missing",
    at: "frontend public",
  },
  {
    name: "everything forwarded by default",
    replace: "    http-request deny deny_status 404 unless is_api or is_jwks or is_realtime\n",
    by: "    default_backend auth\n",
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "internal endpoints among the API's paths",
    replace: "    acl is_jwks path /.well-known/jwks.json\n",
    by: "    acl is_jwks path /.well-known/jwks.json\n    acl is_api path_beg /internal/\n",
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "a listen section without any rule about paths",
    replace: "backend auth\n",
    by: `listen limiter
    bind :4002
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
    http-request del-header Forwarded
    http-request del-header X-Client-IP
    http-request del-header True-Client-IP
    http-request del-header CF-Connecting-IP
    server limiter1 10.0.0.3:4002

backend auth
`,
    rule: "internal-route-exposed",
    at: "listen limiter",
  },
  {
    name: "a CDN treated like everybody in topology cdn",
    topology: "cdn",
    replace: "global\n",
    by: "global\n    nbthread 2\n",
    rule: "topology-mismatch",
    at: "set-header X-Forwarded-For",
  },
  {
    name: "two hops behind a proxy that overwrites",
    topology: "cdn-append",
    replace: "global\n",
    by: "global\n    nbthread 2\n",
    rule: "topology-mismatch",
    at: "set-header X-Forwarded-For",
  },
  {
    name: "a CDN told apart in topology direct",
    topology: "direct",
    replace: HAPROXY_FORWARDED,
    by: `${HAPROXY_FORWARDED}    acl cdn src 198.51.100.0/24
    http-request set-header X-Forwarded-For %[req.hdr(CF-Connecting-IP)] if cdn
`,
    rule: "topology-mismatch",
    at: "if cdn",
  },
  {
    name: "everybody trusted as CDN",
    topology: "cdn",
    replace: HAPROXY_FORWARDED,
    by: `${HAPROXY_FORWARDED}    acl cdn src 198.51.100.0/24
    http-request set-header X-Forwarded-For %[req.hdr(CF-Connecting-IP)] if cdn
    acl office src 0.0.0.0/0
`,
    rule: "trusts-everyone",
    at: "0.0.0.0/0",
  },
  {
    name: "three hops for one proxy",
    topology: "direct",
    replace: "global\n",
    by: "global\n    setenv REALTIME_TRUST_PROXY_HOPS 3 # REALTIME_TRUST_PROXY_HOPS=3\n",
    rule: "hops-mismatch",
    at: "REALTIME_TRUST_PROXY_HOPS=3",
  },
  {
    name: "the PROXY protocol at the door",
    replace: "    bind :443 ssl crt /etc/ssl/portcullis.pem\n",
    by: "    bind :443 ssl crt /etc/ssl/portcullis.pem accept-proxy\n",
    rule: "proxy-protocol",
    at: "accept-proxy",
  },
  {
    name: "the PROXY protocol to the gateway",
    replace: "    server gateway1 10.0.0.2:8001 check\n",
    by: "    server gateway1 10.0.0.2:8001 check send-proxy-v2\n",
    rule: "proxy-protocol",
    at: "send-proxy-v2",
  },
  {
    name: "invalid requests accepted",
    replace: "    mode http\n",
    by: "    mode http\n    option accept-invalid-http-request\n",
    rule: "odd-headers-passed",
    at: "accept-invalid-http-request",
  },
  {
    name: "headers longer than any service takes",
    replace: "    tune.bufsize 16384\n",
    by: "    tune.bufsize 131072\n",
    rule: "header-limit-too-large",
    at: "tune.bufsize",
  },
  {
    name: "websockets cut between pings, for want of a tunnel timeout",
    replace: "    timeout tunnel 90s\n",
    by: "",
    rule: "realtime-timeout-short",
    at: "timeout client 30s",
  },
  {
    name: "a tunnel timeout in milliseconds by mistake",
    replace: "    timeout tunnel 90s\n",
    by: "    timeout tunnel 90\n",
    rule: "realtime-timeout-short",
    at: "timeout tunnel 90",
  },
  {
    name: "TCP, which is what HAProxy does when it is not told",
    replace: "    mode http\n",
    by: "",
    rule: "tcp-mode",
    at: "frontend public",
  },
  {
    name: "the client's Connection passed on",
    replace: "    http-request del-header Forwarded\n",
    by: "    http-request del-header Forwarded\n    http-request set-header Connection %[req.hdr(Connection)]\n",
    rule: "nominated-headers",
    at: "req.hdr(Connection)",
  },
  {
    name: "a quote that is never closed",
    replace: "    http-request set-header X-Forwarded-Proto https\n",
    by: `    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Motto "open
`,
    rule: "syntax",
    at: '"open',
  },
];

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
];

export const CADDY_TRAPS: readonly PlantedTrap[] = [
  {
    name: "the client's header passed on",
    replace: "			header_up X-Forwarded-For {remote_host}\n",
    by: "			header_up X-Forwarded-For {header.X-Forwarded-For}\n",
    rule: "passed-through-forwarded-for",
    at: "{header.X-Forwarded-For}",
  },
  {
    name: "a line added",
    replace: "			header_up X-Forwarded-For {remote_host}\n",
    by: "			header_up +X-Forwarded-For {remote_host}\n",
    rule: "appended-forwarded-for",
    at: "+X-Forwarded-For",
  },
  {
    name: "everybody trusted as CDN",
    replace: "			header_up X-Forwarded-For {remote_host}\n",
    by: "			trusted_proxies 0.0.0.0/0\n",
    rule: "trusts-everyone",
    at: "trusted_proxies",
  },
  {
    name: "every path forwarded",
    replace: "	handle @api {\n",
    by: "	handle {\n",
    rule: "internal-route-exposed",
    at: "reverse_proxy",
  },
];
