import type { PlantedTrap } from "./planted-traps.ts";

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
