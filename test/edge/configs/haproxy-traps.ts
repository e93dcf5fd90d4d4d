import type { PlantedTrap } from "./planted-traps.ts";

const DENY = "    http-request deny deny_status 404 unless is_api or is_jwks or is_realtime\n";
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
  {
    name: "replaced for one answer of a test alone",
    replace: HAPROXY_FORWARDED,
    by: "    http-request set-header X-Forwarded-For %[src] if { req.hdr(X-Debug) -m found }\n",
    rule: "conditional-forwarded-for",
    at: "X-Debug",
  },
  {
    name: "replaced for websockets, and not for other requests to the same path",
    replace: HAPROXY_FORWARDED,
    by: `    acl is_websocket req.hdr(Upgrade) -m str -i websocket
    http-request set-header X-Forwarded-For %[src] if is_websocket or !is_realtime
`,
    rule: "conditional-forwarded-for",
    at: "if is_websocket",
  },
  {
    name: "allowed before it is replaced, for whoever asks for an upgrade",
    replace: HAPROXY_FORWARDED,
    by: `    http-request allow if { req.hdr(Upgrade) -m str -i websocket } is_api
${HAPROXY_FORWARDED}`,
    rule: "skipped-by-allow",
    at: "http-request allow",
  },
  {
    name: "replaced once more, by what the client sent",
    replace: HAPROXY_FORWARDED,
    by: `${HAPROXY_FORWARDED}    http-request replace-header X-Forwarded-For .* %[req.hdr(X-Foo)]
`,
    rule: "passed-through-forwarded-for",
    at: "replace-header",
  },
  {
    name: "replaced by what a value of the client's says, entry by entry",
    replace: HAPROXY_FORWARDED,
    by: `${HAPROXY_FORWARDED}    http-request replace-value X-Forwarded-For (.*) \\1%[urlp(ip)]
`,
    rule: "passed-through-forwarded-for",
    at: "replace-value",
  },
  {
    name: "an address from the query",
    replace: HAPROXY_FORWARDED,
    by: "    http-request set-header X-Forwarded-For %[url_param(ip)]\n",
    rule: "passed-through-forwarded-for",
    at: "url_param",
  },
  {
    name: "an address from the body",
    replace: HAPROXY_FORWARDED,
    by: "    http-request set-header X-Forwarded-For %[req.body_param(ip)]\n",
    rule: "passed-through-forwarded-for",
    at: "req.body_param",
  },
  {
    name: "a header that a captured one fills",
    replace: HAPROXY_FORWARDED,
    by: "    http-request capture req.hdr(X-Foo) len 64\n    http-request set-header X-Forwarded-For %[capture.req.hdr(0)]\n",
    rule: "passed-through-forwarded-for",
    at: "capture.req.hdr(0)",
  },
  {
    name: "a variable that only some requests set",
    replace: HAPROXY_FORWARDED,
    by: `    http-request set-var(txn.ip) src if { req.hdr(X-Debug) -m found }
    http-request set-header X-Forwarded-For %[var(txn.ip)]
`,
    rule: "missing-forwarded-for",
    at: "%[var(txn.ip)]",
  },
  {
    name: "one network for all the clients in it",
    replace: HAPROXY_FORWARDED,
    by: "    http-request set-header X-Forwarded-For %[src,ipmask(24)]\n",
    rule: "missing-forwarded-for",
    at: "ipmask",
  },
  {
    name: "another connection's address for some clients",
    replace: HAPROXY_FORWARDED,
    by: `    http-request set-src req.hdr(X-Foo) if { req.hdr(X-Foo) -m found }
${HAPROXY_FORWARDED}`,
    rule: "passed-through-forwarded-for",
    at: "set-header X-Forwarded-For",
  },
  {
    name: "another connection's address, before there is a request",
    replace: HAPROXY_FORWARDED,
    by: `    tcp-request inspect-delay 5s
    tcp-request content set-src req.hdr(X-Foo)
${HAPROXY_FORWARDED}`,
    rule: "passed-through-forwarded-for",
    at: "set-header X-Forwarded-For",
  },
  {
    name: "X-Real-IP from the client's own",
    replace: "    http-request set-header X-Real-IP %[src]\n",
    by: "    http-request set-header X-Real-IP %[req.hdr(X-Real-IP)]\n",
    rule: "identity-header-missing",
    at: "frontend public",
  },
  {
    name: "X-Real-IP set for some requests",
    replace: "    http-request set-header X-Real-IP %[src]\n",
    by: "    http-request set-header X-Real-IP %[src] if { req.hdr(X-Debug) -m found }\n",
    rule: "identity-header-missing",
    at: "frontend public",
  },
  {
    name: "the scheme named for one of the two",
    replace: "    http-request set-header X-Forwarded-Proto https\n",
    by: "    http-request set-header X-Forwarded-Proto https if { req.hdr(X-Debug) -m found }\n",
    rule: "identity-header-missing",
    at: "frontend public",
  },
  {
    name: "option forwardfor for X-Real-IP",
    replace: "    http-request set-header X-Real-IP %[src]\n",
    by: "    option forwardfor header X-Real-IP\n",
    rule: "identity-header-missing",
    at: "frontend public",
  },
  {
    name: "internal endpoints closed but for those who know a header",
    replace: DENY,
    by: `    http-request deny if { path_beg /internal /portcullis.limiter. } !{ req.hdr(x-admin) -m found }
    http-request deny unless is_api or is_jwks or is_realtime or { path_beg /internal/ }
    default_backend auth
`,
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "nothing closed but what is asked for too often",
    replace: DENY,
    by: "    default_backend auth\n",
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "allowed for those who know a header, before the paths are looked at",
    replace: DENY,
    by: `    http-request allow if { path_beg /internal/ } { req.hdr(x-admin) -m found }
${DENY}    default_backend auth
`,
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "closed by the request line, in which a client can write the whole URL",
    replace: DENY,
    by: `    http-request deny if { url_beg /internal/ /portcullis.limiter. /portcullis.realtime. /portcullis.identity. /envoy. /metrics }
    default_backend auth
`,
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "a pattern that cannot be read here, and lets everything in",
    replace: "    acl is_jwks path /.well-known/jwks.json\n",
    by: "    acl is_jwks path_reg (?s)^/[[:alpha:].]+\n",
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "servers that a map chooses",
    replace: DENY,
    by: "    use_backend %[req.hdr(host),lower,map_dom(/etc/hostname,auth)]\n",
    rule: "internal-route-exposed",
    at: "frontend public",
  },
  {
    name: "another section that a map chooses, with nothing about X-Forwarded-For",
    replace: "    use_backend auth if is_api or is_jwks\n",
    by: "    use_backend %[path,map_beg(/etc/hostname,auth)] if is_api or is_jwks\n",
    and: {
      replace: "backend auth\n",
      by: `backend other
    http-request set-header X-Forwarded-For %[req.hdr(X-Foo)] # other
    server other1 10.0.0.9:80

backend auth
`,
    },
    rule: "passed-through-forwarded-for",
    at: "# other",
  },
  {
    name: "a prefix taken away behind the rule that looked at the path",
    replace: "    acl is_jwks path /.well-known/jwks.json\n",
    by: "    acl is_jwks path /.well-known/jwks.json\n    acl is_api path_beg /api/\n",
    and: {
      replace: "    use_backend gateway if is_realtime\n",
      by: "    http-request replace-path /api(/.*) \\1\n    use_backend gateway if is_realtime\n    default_backend auth\n",
    },
    rule: "internal-route-exposed",
    at: "replace-path",
  },
  {
    name: "a prefix taken away in front of the servers",
    replace: "backend auth\n",
    by: "backend auth\n    http-request set-path %[path,regsub(^/portcullis.auth.v1.AuthService,)]\n",
    rule: "internal-route-exposed",
    at: "set-path",
  },
  {
    name: "a path made of a header",
    replace: "backend auth\n",
    by: "backend auth\n    http-request set-uri http://auth/%[req.hdr(x-path)] if { req.hdr(x-path) -m found }\n",
    rule: "internal-route-exposed",
    at: "set-uri",
  },
  {
    name: "an internal path put in by name",
    replace: "backend auth\n",
    by: "backend auth\n    http-request set-path /metrics if { path_end /Metrics }\n",
    rule: "internal-route-exposed",
    at: "set-path",
  },
  {
    name: "a list's first entry in topology cdn",
    topology: "cdn",
    replace: HAPROXY_FORWARDED,
    by: `    acl cdn src 198.51.100.0/24
    http-request set-header X-Forwarded-For %[req.hdr_ip(X-Forwarded-For,1)] if cdn
    http-request set-header X-Forwarded-For %[src] if !cdn
`,
    rule: "passed-through-forwarded-for",
    at: "req.hdr_ip(X-Forwarded-For,1)",
  },
  {
    name: "a list's last entry, which a quote can swallow",
    topology: "cdn",
    replace: HAPROXY_FORWARDED,
    by: `    acl cdn src 198.51.100.0/24
    http-request set-header X-Forwarded-For %[req.hdr_ip(X-Forwarded-For,-1)] if cdn
    http-request set-header X-Forwarded-For %[src] if !cdn
`,
    rule: "quoted-list",
    at: "req.hdr_ip(X-Forwarded-For,-1)",
  },
  {
    name: "everybody trusted as CDN, in two halves",
    topology: "cdn",
    replace: HAPROXY_FORWARDED,
    by: `${HAPROXY_FORWARDED}    acl cdn src 198.51.100.0/24
    http-request set-header X-Forwarded-For %[req.hdr(CF-Connecting-IP)] if cdn
    acl office src 0.0.0.0/1 128.0.0.0/1
`,
    rule: "trusts-everyone",
    at: "0.0.0.0/1",
  },
  {
    name: "a server that the client chooses",
    replace: HAPROXY_FORWARDED,
    by: `${HAPROXY_FORWARDED}    http-request set-dst req.hdr_ip(x-server)
`,
    rule: "not-followed",
    at: "set-dst",
  },
  {
    name: "lines that are there only sometimes",
    replace: HAPROXY_FORWARDED,
    by: `.if defined(EDGE)
${HAPROXY_FORWARDED}.endif
`,
    rule: "not-followed",
    at: ".if",
  },
  {
    name: "the gateway's port for publishers",
    replace: "    server gateway1 10.0.0.2:8001 check\n",
    by: "    server gateway1 10.0.0.2:8002 check\n",
    rule: "private-port",
    at: "10.0.0.2:8002",
  },
];
