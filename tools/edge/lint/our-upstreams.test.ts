import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readEdgeConfig } from "../read-edge-config.ts";
import { renderAll } from "../render.ts";
import { detectKind, lintFile } from "./lint-file.ts";

/** Another application beside Portcullis, at an address of its own, with all that such files have. */
const BESIDE = {
  nginx: {
    after: "http {",
    text: `
    upstream shop { server 10.9.9.9:3000; }
    server {
        listen 8081;
        server_name shop.example;
        large_client_header_buffers 1 3584;
        location / {
            proxy_pass http://shop;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
            proxy_read_timeout 10s;
        }
        location /metrics { proxy_pass http://10.9.9.9:8002; }
        location /internal/ { proxy_pass http://shop; }
    }
`,
  },
  haproxy: {
    after: "",
    text: `
frontend shop
    mode http
    bind :8081
    option forwardfor
    default_backend shop
backend shop
    mode http
    timeout server 5s
    server shop1 10.9.9.9:3000
    server shop2 10.9.9.9:8002
`,
  },
  caddy: {
    after: "",
    text: `
http://shop.example:8081 {
	reverse_proxy 10.9.9.9:3000 {
		header_up X-Forwarded-For {header.X-Forwarded-For}
	}
}
`,
  },
} as const;

describe("lintFile() leaves another application in the same file alone", () => {
  const reading = readEdgeConfig(
    'cdn: { cidrs: [198.51.100.0/24] }\nupstreams: { auth: "10.1.1.1:80", gateway: "10.1.1.2:80" }\n',
  );
  const files = reading.kind === "valid" ? renderAll(reading.config) : [];

  for (const [proxy, { after, text }] of Object.entries(BESIDE)) {
    const rendered = files.filter(({ path }) => path.startsWith(proxy));
    test(`beside what is rendered for ${proxy}`, () => {
      expect(rendered).toHaveLength(3);
      for (const file of rendered) {
        const both = after === "" ? file.text + text : file.text.replace(after, after + text);
        const linted = lintFile(file.path, both, detectKind(file.path, both), undefined);
        expect(linted, file.path).toMatchObject({ findings: [], notes: [], unread: undefined });
      }
    });
  }
});

/** Ways in which the other application's place turns out to be a service of ours. */
const OURS: readonly (readonly [name: string, target: string, upstreams: readonly string[]])[] = [
  ["an upstream that has a public route as well", "http://auth", []],
  ["its address, by another way", "http://10.0.0.1:4001", []],
  ["a port that is ours by default", "http://10.7.7.7:4002", []],
  ["a name that is ours", "http://portcullis-auth.internal", []],
  ["an upstream of a name that is ours", "http://portcullis_limiter", []],
  ["an address that was named", "http://10.7.7.7:9000", ["10.7.7.7:9000"]],
  ["an address that a variable holds", "http://$ours", []],
];

describe("lintFile() finds a private path that reaches", () => {
  const good = readFileSync(
    new URL("../../../test/edge/configs/hand-written.nginx.conf", import.meta.url),
    "utf8",
  );
  for (const [name, target, upstreams] of OURS) {
    test(name, () => {
      const text = good
        .replace("http {", "http {\nupstream portcullis_limiter { server unix:/l; }")
        .replace(
          "        location / {\n",
          `        set $ours 10.0.0.1:4001;\n        location /internal/ { proxy_pass ${target}; }\n        location / {\n`,
        );
      const { findings } = lintFile("nginx.conf", text, "nginx", "direct", upstreams);
      expect(findings.map(({ rule }) => rule)).toEqual(["internal-route-exposed"]);
    });
  }
});
