import { describe, expect, test } from "vitest";
import { detectKind, lintFile } from "./lint-file.ts";

const INGRESS = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  annotations:
    nginx.ingress.kubernetes.io/configuration-snippet: |
      proxy_set_header X-Forwarded-For $http_x_forwarded_for;
`;

const ENVOY_WITHOUT_TYPE = `static_resources:
  listeners:
    - filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config: { stat_prefix: x, http_filters: [], route_config: {} }
`;

const NOTHING: Readonly<Record<string, string>> = {
  "traefik.yml":
    'entryPoints:\n  web:\n    address: ":80"\n    forwardedHeaders:\n      insecure: true\n',
  "traefik.toml": "[entryPoints.web.forwardedHeaders]\n  insecure = true\n",
  "ingress.yaml": INGRESS,
  "compose.yml": "services:\n  auth:\n    image: portcullis\n    ports: [4001]\n",
  "envoy.yaml": ENVOY_WITHOUT_TYPE,
  "envoy-routes.yaml":
    '"@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\nname: x\n',
  "caddy.json": '{ "apps": { "http": { "servers": {} } } }\n',
  "package.json": '{ "name": "x" }\n',
  "main.conf": "worker_processes 2;\nevents {}\n",
  "empty-http.conf": "events {}\nhttp { sendfile on; }\n",
  "proxy.conf": "proxy_set_header Host $host;\nproxy_set_header X-Forwarded-For $remote_addr;\n",
  "empty.conf": "",
  "blank.conf": " \n\n",
  "comment.conf": "# server { listen 80; }\n",
  "vault.hcl": 'server {\n  address = "127.0.0.1:8200"\n}\n',
  "only-defaults.cfg": "global\n  log stdout local0\ndefaults\n  mode http\n",
  "only-backends.cfg": "backend web\n  server one 10.0.0.1:80\n",
  Caddyfile: "(identity) {\n\theader_up X-Real-IP {remote_host}\n}\n",
  "options.Caddyfile": "{\n\temail admin@example.com\n}\n",
  "shop.env": "SHOP=1\n",
};

describe("lintFile() says that nothing is read", () => {
  for (const [name, text] of Object.entries(NOTHING)) {
    test(`in ${name}`, () => {
      const { unread } = lintFile(name, text, detectKind(name, text), "direct");
      expect(unread).toMatch(new RegExp(`^${name}: nothing in this file is read here: .`));
    });
  }

  test("whichever proxy an empty file is said to be for", () => {
    for (const kind of ["nginx", "haproxy", "caddy", "envoy"] as const) {
      expect(lintFile("x", "# nothing\n", kind, "direct").unread, kind).toBeDefined();
    }
  });

  test("in hops that no topology was named for", () => {
    const text = "API_TRUST_PROXY_HOPS=1\n";
    expect(lintFile("auth.env", text, "settings", undefined).unread).toContain("--topology");
    expect(lintFile("auth.env", text, "settings", "direct").unread).toBeUndefined();
  });

  test("and what stands there instead, where it is known", () => {
    const { unread } = lintFile("ingress.yaml", INGRESS, "settings", "direct");
    expect(unread).toContain("a Kubernetes Ingress");
  });
});

/** Parts of files that are read otherwise: each is named, at its line. */
const PARTS: Readonly<Record<string, readonly [text: string, line: number]>> = {
  "labels.yml": [
    "services:\n  auth:\n    environment: { API_TRUST_PROXY_HOPS: 1 }\n    labels:\n      - traefik.enable=true\n",
    5,
  ],
  "ingress-and-hops.yaml": ["API_TRUST_PROXY_HOPS: 1\n---\nkind: Ingress\n", 3],
  "lua.conf": [
    'server {\nlisten 80;\nlocation / {\nset_by_lua $ip "return 1";\nproxy_set_header X-Forwarded-For $ip;\nproxy_pass http://a;\n}\n}\n',
    5,
  ],
  "auth-request.conf": [
    "server {\nlisten 80;\nlocation / {\nauth_request_set $ip $upstream_http_x_ip;\nproxy_set_header X-Forwarded-For $ip;\nproxy_pass http://a;\n}\n}\n",
    5,
  ],
  "headers-more.conf": [
    'server {\nlisten 80;\nlocation / {\nmore_set_input_headers "X-Forwarded-For: $remote_addr";\nproxy_pass http://a;\n}\n}\n',
    4,
  ],
  "njs.conf": ["server {\nlisten 80;\nlocation / {\njs_content main.handle;\n}\n}\n", 4],
  "undefined.conf": [
    "server {\nlisten 80;\nlocation / {\nproxy_set_header X-Forwarded-For $client_ip;\nproxy_pass http://a;\n}\n}\n",
    4,
  ],
  "lua.cfg": [
    "frontend f\n  mode http\n  bind :80\n  http-request lua.who\n  server a 1.2.3.4:80\n",
    4,
  ],
  "fetch.cfg": [
    "frontend f\n  mode http\n  bind :80\n  http-request set-header X-Forwarded-For %[lua.who]\n  default_backend b\nbackend b\n  mode http\n  server a 1.2.3.4:80\n",
    4,
  ],
  "snippet.Caddyfile": [
    ":80 {\n\tthis-snippet {\n\t}\n\treverse_proxy a:80 {\n\t\theader_up X-Forwarded-For {my.plugin}\n\t}\n}\n",
    5,
  ],
  "balancer.conf": [
    "upstream a {\nserver 0.0.0.1;\nbalancer_by_lua_block {\n-- it doesn't matter\n}\n}\nserver {\nlisten 80;\nlocation / {\nproxy_set_header X-Forwarded-For $remote_addr;\nproxy_pass http://a;\n}\n}\n",
    3,
  ],
  "copied.Caddyfile": [
    ":80 {\n\tforward_auth a:9091 {\n\t\turi /verify\n\t\tcopy_headers Remote-User X-Forwarded-For\n\t}\n\treverse_proxy a:80\n}\n",
    4,
  ],
  "layer4.Caddyfile": ["{\n\tlayer4 {\n\t}\n}\n:80 {\n\treverse_proxy a:80\n}\n", 2],
};

describe("lintFile() names what it did not judge", () => {
  for (const [name, [text, line]] of Object.entries(PARTS)) {
    test(`in ${name}`, () => {
      const { findings, unread } = lintFile(name, text, detectKind(name, text), "direct");
      expect(unread).toBeUndefined();
      expect(findings.map((one) => [one.rule, one.severity, one.line])).toEqual([
        ["not-followed", "warning", line],
      ]);
    });
  }

  test("where an import names a snippet that is not there", () => {
    const text = ":80 {\n\timport secure\n\treverse_proxy a:80\n}\n";
    const { findings } = lintFile("Caddyfile", text, "caddy", "direct");
    expect(findings.map(({ rule, line }) => [rule, line])).toEqual([["include-not-read", 2]]);
  });
});
