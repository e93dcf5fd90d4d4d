import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { TOPOLOGIES } from "../../tools/edge/edge-config.ts";
import { proveFile } from "../../tools/edge/prove/prove-file.ts";
import { renderProxy } from "../../tools/edge/render.ts";
import { RUNNABLE_PROXIES } from "../../tools/edge/start-proxy.ts";
import { canRun } from "./can-run.ts";
import { edgeConfig } from "./edge-fixture.ts";

const MAIN = "dist/tools/edge/main.js";
const [NGINX, HAPROXY, CADDY] = [canRun("nginx"), canRun("haproxy"), canRun("caddy")];

for (const proxy of RUNNABLE_PROXIES) {
  describe.runIf(canRun(proxy))(`edge prove of a rendered ${proxy}`, () => {
    for (const topology of TOPOLOGIES) {
      test(`finds nothing in topology ${topology}, and tells it without being told`, async () => {
        const { text } = renderProxy(
          proxy,
          edgeConfig(8080, { auth: 4001, gateway: 8001 }, { topology }),
        );
        const file = setupFile(FILE_NAMES[proxy], withoutPreamble(text));
        const options = {
          proxy,
          file,
          text: withoutPreamble(text),
          topology: undefined,
          upstreams: [],
        };
        const { routes, ...proof } = await proveFile(options);
        expect(proof).toMatchObject({ topology, findings: [], notes: [] });
        expect(routes.map(({ route }) => route)).toContain("GET /gateway/realtime (upgrade)");
      });
    }
  });
}

test.runIf(NGINX)("edge prove --json names rule, request, upstream and what that saw; 1", () => {
  const file = setupFile(
    "nginx.conf",
    nginxWith("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"),
  );
  const { status, stdout } = prove("--json", file);
  expect(status).toBe(1);
  const [proof] = JSON.parse(stdout);
  expect(proof).toMatchObject({ file, proxy: "nginx", topology: "direct" });
  expect(proof.findings).toContainEqual(
    expect.objectContaining({
      rule: "appended-forwarded-for",
      severity: "error",
      route: "POST /portcullis.auth.v1.AuthService/Login",
      upstream: "10.0.0.1:4001",
      request: expect.stringContaining("X-Forwarded-For: 203.0.113.77, from "),
      saw: expect.stringContaining("X-Forwarded-For: 203.0.113.77, "),
    }),
  );
});

test.runIf(NGINX)("edge prove keeps layers of one file together, and asks the innermost", () => {
  const outer =
    "server { listen 443; location / { proxy_set_header X-Forwarded-For $remote_addr; proxy_pass http://127.0.0.1:81; } }";
  const inner = "server { listen 127.0.0.1:81; location / { proxy_pass http://10.0.0.1:4001; } }";
  const { stdout } = prove("--json", setupFile("edge.conf", `${outer}\n${inner}`));
  const [{ routes }] = JSON.parse(stdout);
  expect(routes).toContainEqual(
    expect.objectContaining({
      listener: ":443",
      reached: [expect.objectContaining({ upstream: "10.0.0.1:4001" })],
    }),
  );
});

const REFUSED = [
  {
    why: "a request decides which upstream",
    name: "nginx.conf",
    text: nginxWith("", "proxy_pass http://$arg_host;"),
    runs: NGINX,
  },
  {
    why: "could not be read",
    name: "nginx.conf",
    text: "events {}\nhttp { include /nowhere-at-all.conf; }\n",
    runs: NGINX,
  },
  {
    why: "nginx does not accept it",
    name: "nginx.conf",
    text: nginxWith("no_such_thing on;"),
    runs: NGINX,
  },
  {
    why: "a program would be started",
    name: "haproxy.cfg",
    text: "program x\n    command /bin/true\nfrontend f\n    bind :80\n",
    runs: HAPROXY,
  },
  {
    why: "a request decides which upstream",
    name: "Caddyfile",
    text: "http://:8080 {\n\treverse_proxy {header.X-To}:80\n}\n",
    runs: CADDY,
  },
  { why: "it is no configuration of", name: "notes.txt", text: "hello\n", runs: true },
];

for (const { why, name, text, runs } of REFUSED) {
  test.runIf(runs)(`edge prove answers 2 where ${name} cannot be proved: ${why}`, () => {
    const { status, stderr, stdout } = prove(setupFile(name, text));
    expect(stderr).toContain(why);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });
}

test("edge prove answers 3 where the proxy is missing, and says what to install", () => {
  const file = setupFile("haproxy.cfg", "frontend f\n    bind :80\n    default_backend b\n");
  const { status, stderr } = spawnSync(process.execPath, [MAIN, "prove", file], {
    encoding: "utf8",
    env: { PATH: "/nowhere" },
  });
  expect(stderr).toContain("apt-get install haproxy");
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(status).toBe(3);
  expect(prove("deploy/envoy/direct.yaml")).toMatchObject({ status: 3 });
});

test("edge prove answers 2 to an option that it cannot read, and names it", () => {
  const file = setupFile("nginx.conf", nginxWith(""));
  for (const [option, value] of [
    ["--upstream", "http://10.0.0.1:4001/x"],
    ["--topology", "sideways"],
    ["--proxy", "apache"],
  ] as const) {
    const { status, stderr, stdout } = prove(option, value, file);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(`${option} must be`);
  }
});

const FILE_NAMES = { nginx: "nginx.conf", haproxy: "haproxy.cfg", caddy: "Caddyfile" } as const;

/** Without its first line a file does not say which topology it is for. */
function withoutPreamble(text: string): string {
  return text.replace(/^# Portcullis edge:.*$/m, "#");
}

function nginxWith(setting: string, pass = "proxy_pass http://10.0.0.1:4001;"): string {
  return `events {}
http {
  server {
    listen 80;
    location /portcullis.auth.v1.AuthService/ { ${setting} ${pass} }
    location / { return 404; }
  }
}
`;
}

function prove(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "prove", ...args], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] },
  });
  return { status, stdout, stderr };
}

function setupFile(name: string, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "edge-prove-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}
