import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CADDY_HAND_WRITTEN_TRAPS, CADDY_TRAPS } from "../../../test/edge/configs/caddy-traps.ts";
import { ENVOY_EDGE_TRAPS, ENVOY_TRAPS } from "../../../test/edge/configs/envoy-traps.ts";
import { HAPROXY_TRAPS } from "../../../test/edge/configs/haproxy-traps.ts";
import {
  NGINX_HARMLESS,
  NGINX_ROUTE_TRAPS,
  NGINX_VALUE_TRAPS,
} from "../../../test/edge/configs/nginx-traps.ts";
import { NGINX_TRAPS, type PlantedTrap } from "../../../test/edge/configs/planted-traps.ts";
import { readEdgeConfig } from "../read-edge-config.ts";
import { renderAll } from "../render.ts";
import { detectKind, type FileKind, lintFile } from "./lint-file.ts";

const NGINX_GOOD = "test/edge/configs/hand-written.nginx.conf";

const CASES: readonly { kind: FileKind; good: string; traps: readonly PlantedTrap[] }[] = [
  { kind: "nginx", good: NGINX_GOOD, traps: NGINX_TRAPS },
  { kind: "nginx", good: NGINX_GOOD, traps: NGINX_ROUTE_TRAPS },
  { kind: "nginx", good: NGINX_GOOD, traps: NGINX_VALUE_TRAPS },
  { kind: "haproxy", good: "test/edge/configs/hand-written.haproxy.cfg", traps: HAPROXY_TRAPS },
  {
    kind: "envoy",
    good: "test/edge/configs/hand-written.envoy-rate-limit.yaml",
    traps: ENVOY_TRAPS,
  },
  { kind: "envoy", good: "deploy/envoy/direct.yaml", traps: ENVOY_EDGE_TRAPS },
  { kind: "caddy", good: "deploy/caddy/direct.Caddyfile", traps: CADDY_TRAPS },
  {
    kind: "caddy",
    good: "test/edge/configs/hand-written.Caddyfile",
    traps: CADDY_HAND_WRITTEN_TRAPS,
  },
];

for (const { kind, good, traps } of CASES) {
  describe(`lintFile() of ${good}`, () => {
    const text = readFileSync(new URL(`../../../${good}`, import.meta.url), "utf8");

    test("finds nothing as it is", () => {
      const { findings, notes, unread } = lintFile(good, text, kind, undefined);
      expect({ findings, notes, unread }).toEqual({ findings: [], notes: [] });
      expect(detectKind(good, text)).toBe(kind);
    });

    for (const trap of traps) {
      test(`finds ${trap.rule}, alone and at its line: ${trap.name}`, () => {
        const planted = plant(text, trap);
        const { findings } = lintFile(good, planted, kind, trap.topology);
        expect([...new Set(findings.map(({ rule }) => rule))]).toEqual([trap.rule]);
        const lines = findings.map(({ line }) => planted.split("\n")[line - 1]);
        expect(lines[0]).toContain(trap.at);
        expect(findings.every(({ file, mend, message }) => file === good && mend && message)).toBe(
          true,
        );
      });
    }
  });
}

describe("lintFile() finds nothing in a good nginx configuration", () => {
  const text = readFileSync(new URL(`../../../${NGINX_GOOD}`, import.meta.url), "utf8");
  for (const harmless of NGINX_HARMLESS) {
    test(`with ${harmless.name}`, () => {
      const planted = plant(text, harmless);
      expect(detectKind("planted.conf", planted)).toBe("nginx");
      expect(lintFile(NGINX_GOOD, planted, "nginx", undefined).findings).toEqual([]);
    });
  }
});

/** Some sixty files, on a machine that may have other things to do. */
const RENDERED_TIMEOUT_MS = 30_000;

test("lintFile() finds nothing in anything that is rendered, whatever the deployment", {
  timeout: RENDERED_TIMEOUT_MS,
}, () => {
  const cdn = 'cdn: { cidrs: [198.51.100.0/24, "2001:db8::/32"] }\n';
  const deployments = [
    cdn,
    `${cdn}domains: [portcullis.example, www.portcullis.example]`,
    `${cdn}upstreams: { auth: "10.1.1.1:80", gateway: "10.1.1.2:80" }`,
    `${cdn}tls: { certificate: /etc/tls/chain.pem, key: /etc/tls/key.pem }`,
    `${cdn}upstreams: { auth: ["a:4001", "[::1]:4001"], console: "c:80" }\nlisten: 127.0.0.1:80`,
    "cdn: { cidrs: [198.51.100.0/24], header: CF-Connecting-IP }",
  ];
  for (const text of deployments) {
    const reading = readEdgeConfig(text);
    expect(reading.kind).toBe("valid");
    for (const file of reading.kind === "valid" ? renderAll(reading.config) : []) {
      const kind = detectKind(file.path, file.text);
      const linted = lintFile(file.path, file.text, kind, undefined);
      expect(linted, `${file.path} of ${text}`).toEqual({ findings: [], notes: [] });
    }
  }
});

test("detectKind() tells nginx and HAProxy apart, wherever on a line they begin", () => {
  const nginx = [
    "server {\nlisten 80;\n}",
    "server\n{\nlisten 80 default_server;\n}",
    "events {} http { include sites/*.conf; }",
    "http { include x; }",
    "listen 80;\nserver_name x;",
    "# frontend of the shop\nlocation = /x { return 404; }",
    "upstream backend { server 10.0.0.1:4001; }",
  ];
  const haproxy = [
    "listen public\n  bind :80",
    "global\n  log stdout local0\nfrontend f # server {\n  bind :80",
    "defaults\n  mode http",
  ];
  for (const text of nginx) expect(detectKind("edge.conf", text), text).toBe("nginx");
  for (const text of haproxy) expect(detectKind("edge.conf", text), text).toBe("haproxy");
  expect(detectKind("edge.conf", "http://:80 {\n  respond 404\n}")).toBe("caddy");
  expect(detectKind("edge.conf", "API_TRUST_PROXY_HOPS=1")).toBe("settings");
});

test("lintFile() reports what a script does with requests as something nobody can follow", () => {
  const text = "server {\nlocation / {\ncontent_by_lua_block { ngx.exec('/internal') }\n}\n}\n";
  const { findings } = lintFile("edge.conf", text, "nginx", undefined);
  expect(findings.map(({ line, rule }) => [line, rule])).toEqual([[3, "not-followed"]]);
});

function plant(text: string, { replace, by, and, name }: Omit<PlantedTrap, "rule" | "at">): string {
  const edits = [{ replace, by }, ...(and === undefined ? [] : [and])];
  return edits.reduce((before, edit) => {
    const after = before.replace(edit.replace, () => edit.by);
    expect(after, `"${name}" has nothing to replace`).not.toBe(before);
    return after;
  }, text);
}
