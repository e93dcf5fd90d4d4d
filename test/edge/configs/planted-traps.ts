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
            location = /.well-known/jwks.json {
                proxy_set_header X-Debug 1;
                proxy_pass http://auth;
            }
            return 404;`,
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
  {
    name: "auth's port for operators",
    replace: "        server 10.0.0.1:4001;\n",
    by: "        server 10.0.0.1:4001;\n        server 10.0.0.1:4005;\n",
    rule: "private-port",
    at: "10.0.0.1:4005",
  },
  {
    name: "the gateway's port for publishers, named by the location itself",
    replace: "            proxy_pass http://gateway;\n",
    by: "            proxy_pass http://10.0.0.2:8002;\n",
    rule: "private-port",
    at: "10.0.0.2:8002",
  },
];
