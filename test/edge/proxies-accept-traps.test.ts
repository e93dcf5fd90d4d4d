import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { canRun } from "./can-run.ts";
import { CADDY_HAND_WRITTEN_TRAPS } from "./configs/caddy-traps.ts";
import { HAPROXY_TRAPS } from "./configs/haproxy-traps.ts";
import { NGINX_HARMLESS, NGINX_ROUTE_TRAPS, NGINX_VALUE_TRAPS } from "./configs/nginx-traps.ts";
import { NGINX_TRAPS, type PlantedTrap } from "./configs/planted-traps.ts";

/** Rules about what the proxies refuse by themselves, or what Debian's nginx has as a module. */
const REFUSED_ANYWAY = ["syntax", "tcp-mode"];

const ALL_NGINX_TRAPS = [...NGINX_TRAPS, ...NGINX_ROUTE_TRAPS, ...NGINX_VALUE_TRAPS];

describe.runIf(canRun("nginx"))("nginx -t", () => {
  for (const trap of ALL_NGINX_TRAPS.filter(({ rule }) => !REFUSED_ANYWAY.includes(rule))) {
    test(`is content with a trap that the linter finds: ${trap.name}`, () => {
      const { file, directory } = setup("hand-written.nginx.conf", trap);
      const { status, stderr } = spawnSync("nginx", ["-t", "-c", file, "-p", directory], {
        encoding: "utf8",
      });
      expect(stderr).toContain("syntax is ok");
      expect(status).toBe(0);
    });
  }

  for (const harmless of NGINX_HARMLESS) {
    test(`is content with what the linter has nothing against: ${harmless.name}`, () => {
      const { file, directory } = setup("hand-written.nginx.conf", harmless);
      const { status } = spawnSync("nginx", ["-t", "-c", file, "-p", directory]);
      expect(status).toBe(0);
    });
  }
});

describe.runIf(canRun("haproxy"))("haproxy -c", () => {
  for (const trap of HAPROXY_TRAPS.filter(({ rule }) => rule !== "syntax")) {
    test(`is content with a trap that the linter finds: ${trap.name}`, () => {
      const { file } = setup("hand-written.haproxy.cfg", trap);
      const { status, stdout, stderr } = spawnSync("haproxy", ["-c", "-f", file], {
        encoding: "utf8",
      });
      expect(`${stdout}${stderr}`).toContain("Configuration file is valid");
      expect(status).toBe(0);
    });
  }
});

/** Rules about what Caddy refuses by itself, or older versions of it do not know. */
const REFUSED_BY_CADDY = ["include-not-read", "proxy-protocol"];

describe.runIf(canRun("caddy"))("caddy adapt", () => {
  const traps = CADDY_HAND_WRITTEN_TRAPS.filter(({ rule }) => !REFUSED_BY_CADDY.includes(rule));
  for (const trap of traps) {
    test(`is content with a trap that the linter finds: ${trap.name}`, () => {
      const { file } = setup("hand-written.Caddyfile", trap);
      const args = ["adapt", "--adapter", "caddyfile", "--config", file];
      const { status, stderr } = spawnSync("caddy", args, { encoding: "utf8" });
      expect(stderr).not.toContain("Error");
      expect(status).toBe(0);
    });
  }
});

/** The planted file, without the certificates that this machine does not have. */
function setup(good: string, { replace, by, and }: Omit<PlantedTrap, "rule" | "at">) {
  const text = readFileSync(new URL(`configs/${good}`, import.meta.url), "utf8");
  const planted = text
    .replace(replace, () => by)
    .replace(and?.replace ?? "", () => and?.by ?? "")
    .replaceAll(/^ *ssl_.*$/gm, "")
    .replaceAll(" ssl http2", "")
    .replaceAll(" ssl crt /etc/ssl/portcullis.pem", "");
  const directory = mkdtempSync(join(tmpdir(), "edge-traps-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "planted.conf");
  writeFileSync(file, planted);
  return { file, directory };
}
