import type { PlantedTrap } from "./planted-traps.ts";

const CATCH_ALL = `        location / {
            return 404;
        }`;
const FORWARDED_FOR = "        proxy_set_header X-Forwarded-For $remote_addr;\n";
const LISTEN = "        listen 443 ssl http2;";
const REAL_IP = `${LISTEN}
        real_ip_header X-Forwarded-For;
        set_real_ip_from 198.51.100.0/24;`;
const JWKS = `        location = /.well-known/jwks.json {
            proxy_pass http://auth;`;
const PASS = "proxy_pass http://auth; # planted\n";

/** What lets a request through to a service, with one that shows it. */
type ExposingTrap = PlantedTrap & {
  /** RECORDER stands for the service's host and port; undefined where it does not speak HTTP/1. */
  target: string | undefined;
};

/** A trap about routes: the catch-all is replaced, or gets something in front of it. */
function route(name: string, by: string, target?: string): ExposingTrap {
  const rule = "internal-route-exposed";
  return { name, replace: CATCH_ALL, by, rule, at: "# planted", target };
}

function inFront(name: string, location: string, target?: string): ExposingTrap {
  return route(name, `${location}\n${CATCH_ALL}`, target);
}

/** Ways in which what is not for browsers gets forwarded. */
export const NGINX_ROUTE_TRAPS: readonly ExposingTrap[] = [
  inFront(
    "a pattern that ignores case by itself",
    `location ~ (?i)^/internal/ { ${PASS} }`,
    "/Internal/x",
  ),
  inFront(
    "a pattern with a POSIX class",
    `location ~ ^/[[:alpha:]]+/gateway/ { ${PASS} }`,
    "/internal/gateway/x",
  ),
  inFront(
    "a named group as PCRE writes it",
    `location ~ ^/(?P<kind>internal)/ { ${PASS} }`,
    "/internal/x",
  ),
  inFront(
    "a pattern that only PCRE can read",
    `location ~ ^/(?>internal)/ { ${PASS} }`,
    "/internal/x",
  ),
  inFront(
    "a doubled backslash, which nginx reads as one",
    `location ~ ^/intern\\\\w+/ { ${PASS} }`,
    "/internal/x",
  ),
  inFront(
    "a pattern that touches its modifier",
    `location ~^/internal/ { ${PASS} }`,
    "/internal/x",
  ),
  route(
    "a named location behind try_files",
    `location / { root /srv; try_files $uri @app; }\nlocation @app { ${PASS} }`,
    "/internal/x",
  ),
  route(
    "a named location as the page of an error",
    `location / { error_page 404 = @app; return 404; }\nlocation @app { ${PASS} }`,
    "/internal/x",
  ),
  route(
    "a named location for requests that are too large, which nothing comes before",
    `location / { error_page 413 = @app; client_max_body_size 1; return 404; }
    location @app { ${PASS} }`,
    "/internal/x",
  ),
  inFront(
    "a path of the location's own as the page of an error",
    `location /go/ { error_page 404 = /hidden$uri; return 404; }
    location /hidden/go/ { internal; proxy_pass http://auth/; # planted
    }`,
    "/go/internal/x",
  ),
  inFront(
    "a prefix replaced by the root",
    "location /api/ { proxy_pass http://auth/; # planted\n }",
    "/api/internal/x",
  ),
  inFront(
    "a prefix replaced by half of an internal path",
    "location /hooks/ { proxy_pass http://auth/internal/gateway/; # planted\n }",
    "/hooks/revoked-tokens",
  ),
  inFront(
    "one address for a probe, which is an endpoint of its own",
    "location = /status { proxy_pass http://gateway/readyz; # planted\n }",
    "/status",
  ),
  inFront(
    "a path in a variable",
    `location /check { set $to http://auth/internal/gateway/revoked-tokens; proxy_pass $to; # planted
    }`,
    "/check",
  ),
  inFront(
    "a path put together from what the pattern cut out",
    "location ~ ^/pub/([a-z/-]+)$ { proxy_pass http://auth/internal/$1; # planted\n }",
    "/pub/gateway/revoked-tokens",
  ),
  inFront(
    "a host that the client chooses",
    "location /to/ { resolver 127.0.0.1; proxy_pass http://$arg_host; # planted\n }",
    "/to/x?host=RECORDER",
  ),
  inFront(
    "a rewrite to an internal path, then the service",
    `location /pub/ { rewrite ^/pub/(.*)$ /internal/$1 break; # planted
      proxy_pass http://auth; }`,
    "/pub/x",
  ),
  inFront(
    "a rewrite to an internal path, then another location",
    `location /pub/ { rewrite ^/pub/(.*)$ /inside/$1 last; }
    location /inside/ { internal; rewrite ^/inside(/.*)$ /internal$1 break; # planted
      proxy_pass http://auth; }`,
    "/pub/x",
  ),
  inFront(
    "a break before the refusal",
    `location /internal/ { if ($request_method = POST) { break; } return 404; ${PASS} }`,
    "/internal/x",
  ),
  inFront(
    "a rewrite before the refusal",
    `location /internal/ { rewrite ^(/internal/.*)$ $1 break; # planted
      return 404; proxy_pass http://auth; }`,
    "/internal/x",
  ),
  route(
    "a location inside of one that refuses",
    `location / { return 404; location /internal/ { ${PASS} } }`,
    "/internal/x",
  ),
  inFront(
    "a location inside of a pattern",
    `location ~ ^/internal { location ~ ^/internal/gateway/ { ${PASS} } return 404; }`,
    "/internal/gateway/x",
  ),
  inFront(
    "a prefix inside of a prefix, which keeps no pattern away",
    `location /internal/ { location /internal/gateway/ { return 404; } }
    location ~ ^/internal/ { ${PASS} }`,
    "/internal/gateway/x",
  ),
  inFront(
    "a refusal that other methods do not meet",
    `location /internal/ { limit_except GET { proxy_pass http://auth; # planted
      } return 404; }`,
    "/internal/x",
  ),
  inFront(
    "everybody allowed before all are denied",
    `location /internal/ { allow all; deny all; ${PASS} }`,
    "/internal/x",
  ),
  inFront(
    "all denied, or a password",
    `location /internal/ { satisfy any; deny all; auth_basic x; auth_basic_user_file x; ${PASS} }`,
  ),
  inFront(
    "the feed of revoked tokens",
    `location = /internal/gateway/revoked-tokens { ${PASS} }`,
    "/internal/gateway/revoked-tokens",
  ),
  inFront(
    "the limiter of the gateway",
    `location = /internal/gateway/rate-limit/consume { ${PASS} }`,
    "/internal/gateway/rate-limit/consume",
  ),
  inFront(
    "the check of dependencies",
    "location = /portcullis.realtime.v1.DependencyService/Check { proxy_pass http://gateway; # planted\n }",
    "/portcullis.realtime.v1.DependencyService/Check",
  ),
  inFront(
    "what the limiter knows",
    `location = /portcullis.limiter.v1.LimiterService/GetInfo { ${PASS} }`,
    "/portcullis.limiter.v1.LimiterService/GetInfo",
  ),
  inFront("readiness", `location = /readyz { ${PASS} }`, "/readyz"),
  inFront("one path that no browser needs", `location = /admin { ${PASS} }`, "/admin"),
  inFront("a few paths that no browser needs", `location ~ ^/admin/ { ${PASS} }`, "/admin/x"),
  inFront(
    "something among public names that is none",
    `location ~ ^/(gateway/realtime/why|debug)$ { ${PASS} }`,
    "/debug",
  ),
  inFront(
    "a public name without its end",
    `location /portcullis.auth.v1.AuthService { ${PASS} }`,
    "/portcullis.auth.v1.AuthServiceAdmin/x",
  ),
  inFront("FastCGI", "location /internal/ { fastcgi_pass 10.0.0.1:4001; # planted\n }"),
  inFront("uwsgi", "location /internal/ { uwsgi_pass 10.0.0.1:4001; # planted\n }"),
  inFront(
    "gRPC",
    `location /portcullis.limiter.v1.LimiterService/ {
      grpc_set_header X-Forwarded-For $remote_addr;
      grpc_set_header X-Real-IP $remote_addr;
      grpc_set_header X-Forwarded-Proto $scheme;
      grpc_set_header Forwarded "";
      grpc_set_header X-Client-IP "";
      grpc_set_header True-Client-IP "";
      grpc_set_header CF-Connecting-IP "";
      grpc_pass grpc://10.0.0.3:4003; # planted
    }`,
  ),
];

const FROM_VARIABLE = "        proxy_set_header X-Forwarded-For $xff;\n";

/** Values that are something else than they seem, and settings that do not do what they should. */
export const NGINX_VALUE_TRAPS: readonly PlantedTrap[] = [
  {
    name: "the client's list, unless there is none",
    replace: LISTEN,
    by: `${LISTEN}
        set $xff $http_x_forwarded_for;
        if ($xff = "") { set $xff $remote_addr; }`,
    and: { replace: FORWARDED_FOR, by: FROM_VARIABLE },
    rule: "passed-through-forwarded-for",
    at: "X-Forwarded-For $xff",
  },
  {
    name: "one name for two values, of which the last is right",
    replace: `${JWKS}`,
    by: `        location = /portcullis.auth.v1.AuthService/Login {
            set $xff $http_x_forwarded_for;
            proxy_pass http://auth;
            proxy_set_header X-Forwarded-For $xff; # planted
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Forwarded "";
            proxy_set_header X-Client-IP "";
            proxy_set_header True-Client-IP "";
            proxy_set_header CF-Connecting-IP "";
        }
        location = /.well-known/jwks.json {
            set $xff $remote_addr;
            proxy_set_header X-Forwarded-For $xff; # good
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Forwarded "";
            proxy_set_header X-Client-IP "";
            proxy_set_header True-Client-IP "";
            proxy_set_header CF-Connecting-IP "";
            proxy_pass http://auth;`,
    rule: "passed-through-forwarded-for",
    at: "# planted",
  },
  {
    name: "a part of the path as the address",
    replace: `${LISTEN}`,
    by: `${LISTEN}
        if ($request_uri ~ "ip=([0-9.]+)") { set $xff $1; }`,
    and: { replace: FORWARDED_FOR, by: FROM_VARIABLE },
    rule: "passed-through-forwarded-for",
    at: "X-Forwarded-For $xff",
  },
  {
    name: "the address in four bytes",
    replace: FORWARDED_FOR,
    by: "        proxy_set_header X-Forwarded-For $binary_remote_addr;\n",
    rule: "missing-forwarded-for",
    at: "$binary_remote_addr",
  },
  {
    name: "the address and the proxy's own behind it",
    replace: FORWARDED_FOR,
    by: '        proxy_set_header X-Forwarded-For "$remote_addr, $server_addr";\n',
    rule: "missing-forwarded-for",
    at: "$server_addr",
  },
  {
    name: "entries of the CDN's stepped over",
    topology: "cdn",
    replace: LISTEN,
    by: `${REAL_IP}\n        real_ip_recursive on;`,
    rule: "topology-mismatch",
    at: "real_ip_recursive on",
  },
  {
    name: "the CDN's own address",
    topology: "cdn",
    replace: LISTEN,
    by: REAL_IP,
    and: {
      replace: FORWARDED_FOR,
      by: "        proxy_set_header X-Forwarded-For $realip_remote_addr;\n",
    },
    rule: "topology-mismatch",
    at: "$realip_remote_addr",
  },
  {
    name: "a CDN not resolved, with the address in a variable",
    topology: "cdn",
    replace: LISTEN,
    by: `${LISTEN}\n        set $xff $remote_addr;`,
    and: { replace: FORWARDED_FOR, by: FROM_VARIABLE },
    rule: "topology-mismatch",
    at: "X-Forwarded-For $xff",
  },
  {
    name: "half of the internet trusted as CDN",
    topology: "cdn",
    replace: LISTEN,
    by: `${REAL_IP}\n        set_real_ip_from 128.0.0.0/1;`,
    rule: "trusts-everyone",
    at: "128.0.0.0/1",
  },
  {
    name: "the client's Connection, by way of a map",
    replace: `        default upgrade;
        "" "";`,
    by: `        default $http_connection;
        "" "";`,
    rule: "nominated-headers",
    at: "Connection $connection_upgrade",
  },
  {
    name: "many headers that each are short enough",
    replace: "    large_client_header_buffers 4 4k;",
    by: "    large_client_header_buffers 64 4k;",
    rule: "header-limit-too-large",
    at: "64 4k",
  },
  {
    name: "the decoded path, by way of a variable",
    replace: JWKS,
    by: `        location = /.well-known/jwks.json {
            set $decoded $uri;
            proxy_pass http://auth$decoded;`,
    rule: "decoded-uri",
    at: "$decoded;",
  },
  {
    name: "a decoded part of the path, cut out by a class that leaves line breaks in",
    replace: JWKS,
    by: `        location ~ ^/v1/([^/]+)$ {
            proxy_pass http://auth/portcullis.auth.v1.AuthService/$1; # planted
        }
${JWKS}`,
    rule: "decoded-uri",
    at: "# planted",
  },
  {
    name: "gRPC without an address",
    replace: JWKS,
    by: `        location /portcullis.auth.v1.DatasourceService/ {
            grpc_pass grpc://10.0.0.1:4001;
        }
${JWKS}`,
    rule: "missing-forwarded-for",
    at: "grpc_pass",
  },
  {
    name: "a file that is not there",
    replace: CATCH_ALL,
    by: `${CATCH_ALL}\n        include conf.d/*.conf;`,
    rule: "include-not-read",
    at: "include",
  },
];

/** What a hand-written configuration may well have; none of it is a trap. */
export const NGINX_HARMLESS: readonly Omit<PlantedTrap, "rule" | "at">[] = [
  {
    name: "sockets that may be silent for a week",
    replace: "proxy_read_timeout 90s;",
    by: "proxy_read_timeout 1w;",
  },
  {
    name: "a time in several units",
    replace: "proxy_read_timeout 90s;",
    by: "proxy_read_timeout 1w2d;",
  },
  {
    name: "a location that forwards none of the client's headers",
    replace: JWKS,
    by: `${JWKS}
            proxy_pass_request_headers off;
            proxy_set_header X-Forwarded-For $remote_addr;`,
  },
  {
    name: "the address in a variable that the location sets itself",
    replace: JWKS,
    by: `        set $address $http_x_forwarded_for;
${JWKS}
            set $address $remote_addr;
            proxy_pass_request_headers off;
            proxy_set_header X-Forwarded-For $address;`,
  },
  {
    name: "files, and a page for those that are not there",
    replace: CATCH_ALL,
    by: `location /console/ { root /srv; try_files $uri /console/index.html; }
    error_page 404 /404.html;
    error_page 502 503 504 @sorry;
    location = /404.html { internal; root /srv; }
    location @sorry { root /srv; }
${CATCH_ALL}`,
  },
  {
    name: "a shorter name for a public route",
    replace: CATCH_ALL,
    by: `location /api/ { proxy_pass http://auth/portcullis.auth.v1.AuthService/; }
    location ~ ^/v1/(Login|Logout)$ { proxy_pass http://auth/portcullis.auth.v1.AuthService/$1; }
    location /v2/ {
      rewrite ^/v2/([A-Za-z]+)$ /portcullis.auth.v1.AuthService/$1 break;
      return 404;
      proxy_pass http://auth;
    }
${CATCH_ALL}`,
  },
  {
    name: "internal endpoints for the own network alone",
    replace: CATCH_ALL,
    by: `location /internal/ { allow 10.0.0.0/8; deny all; proxy_pass http://auth; }\n${CATCH_ALL}`,
  },
  {
    name: "another application, in another protocol",
    replace: CATCH_ALL,
    by: `location ~ \\.php$ { fastcgi_pass 10.0.0.9:9000; }\n${CATCH_ALL}`,
  },
  {
    name: "another application, at an address of its own",
    replace: CATCH_ALL,
    by: `location /shop/ { proxy_pass http://10.0.0.9:8080; }\n${CATCH_ALL}`,
  },
  {
    name: "the buffers that nginx has anyway",
    replace: "large_client_header_buffers 4 4k;",
    by: "large_client_header_buffers 4 8k;",
  },
  {
    name: "a gate in front of everything",
    replace: LISTEN,
    by: `${LISTEN}
        if ($request_uri !~ "^/[A-Za-z0-9./_?=&-]*$") { return 404; }`,
  },
  {
    name: "directives at the first column",
    replace: LISTEN,
    by: "listen 443 ssl http2;",
  },
];
