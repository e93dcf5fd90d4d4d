import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CADDY_TRAPS } from "../../../test/edge/configs/caddy-traps.ts";
import { ENVOY_EDGE_TRAPS, ENVOY_TRAPS } from "../../../test/edge/configs/envoy-traps.ts";
import { HAPROXY_TRAPS } from "../../../test/edge/configs/haproxy-traps.ts";
import { NGINX_TRAPS, type PlantedTrap } from "../../../test/edge/configs/planted-traps.ts";
import { readEdgeConfig } from "../edge-config.ts";
import { renderAll } from "../render.ts";
import { detectKind, type FileKind, lintFile } from "./lint-file.ts";

const CASES: readonly { kind: FileKind; good: string; traps: readonly PlantedTrap[] }[] = [
  { kind: "nginx", good: "test/edge/configs/hand-written.nginx.conf", traps: NGINX_TRAPS },
  { kind: "haproxy", good: "test/edge/configs/hand-written.haproxy.cfg", traps: HAPROXY_TRAPS },
  { kind: "envoy", good: "deploy/envoy/rate-limit-filter.yaml", traps: ENVOY_TRAPS },
  { kind: "envoy", good: "deploy/envoy/direct.yaml", traps: ENVOY_EDGE_TRAPS },
  { kind: "caddy", good: "deploy/caddy/direct.Caddyfile", traps: CADDY_TRAPS },
];

for (const { kind, good, traps } of CASES) {
  describe(`lintFile() of ${good}`, () => {
    const text = readFileSync(new URL(`../../../${good}`, import.meta.url), "utf8");

    test("finds nothing as it is", () => {
      expect(lintFile(good, text, kind, undefined)).toEqual({ findings: [], notes: [] });
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

test("lintFile() finds nothing in anything that is rendered, whatever the deployment", () => {
  const cdn = 'cdn: { cidrs: [198.51.100.0/24, "2001:db8::/32"] }\n';
  const deployments = [
    cdn,
    `${cdn}domains: [portcullis.example, www.portcullis.example]`,
    `${cdn}tls: { certificate: /etc/tls/chain.pem, key: /etc/tls/key.pem }`,
    `${cdn}upstreams: { auth: ["a:4001", "[::1]:4001"], console: "c:80" }\nlisten: 127.0.0.1:80`,
    "cdn: { cidrs: [198.51.100.0/24], header: CF-Connecting-IP }",
  ];
  for (const text of deployments) {
    const reading = readEdgeConfig(text);
    expect(reading.kind).toBe("valid");
    for (const file of reading.kind === "valid" ? renderAll(reading.config) : []) {
      const kind = detectKind(file.path, file.text);
      const linted = lintFile(file.path, file.text, kind ?? "settings", undefined);
      expect(linted, `${file.path} of ${text}`).toEqual({ findings: [], notes: [] });
    }
  }
});

function plant(text: string, { replace, by, and, name }: PlantedTrap): string {
  const edits = [{ replace, by }, ...(and === undefined ? [] : [and])];
  return edits.reduce((before, edit) => {
    const after = before.replace(edit.replace, () => edit.by);
    expect(after, `"${name}" has nothing to replace`).not.toBe(before);
    return after;
  }, text);
}
