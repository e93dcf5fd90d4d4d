import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { startRecorder, valuesOf } from "../../tools/edge/prove/recorder.ts";
import { RUNNABLE_PROXIES } from "../../tools/edge/start-proxy.ts";
import { findFreePort, isPortFree } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import { canRun } from "./can-run.ts";
import { API, requestOn } from "./routes.ts";

const MAIN = "dist/tools/edge/main.js";

test("edge render prints one configuration as it is, ready to be redirected", () => {
  const rendered = edge("render", "--proxy", "haproxy");
  expect(rendered).toMatchObject({ status: 0, stderr: "" });
  expect(rendered.stdout).toBe(readFileSync("deploy/haproxy/direct.cfg", "utf8"));
});

test("edge render --out writes every proxy and topology of the defaults, or what was asked for", () => {
  const directory = setupDirectory();
  expect(edge("render", "--out", directory).status).toBe(0);
  expect(readdirSync(join(directory, "nginx")).toSorted()).toEqual(
    readdirSync("deploy/nginx").toSorted(),
  );
  const one = join(directory, "one");
  expect(edge("render", "--proxy", "caddy", "--topology", "cdn", "--out", one).status).toBe(0);
  expect(readdirSync(one, { recursive: true })).toEqual(["caddy", "caddy/cdn.Caddyfile"]);
});

test("edge render and lint take the name of a balancer, and help lists them", () => {
  const directory = setupDirectory();
  expect(edge("render", "--topology", "google", "--out", directory).status).toBe(0);
  const files = ["nginx/google.conf", "haproxy/google.cfg", "caddy/google.Caddyfile"];
  const paths = [...files, "envoy/google.yaml"].map((file) => join(directory, file));
  expect(edge("lint", "--topology", "google", ...paths)).toMatchObject({ status: 0 });
  expect(edge("lint", ...paths)).toMatchObject({ status: 0 });
  expect(edge("render", "--help").stdout).toMatch(/aws-alb[\s\S]*digitalocean/);
});

test("edge render refuses a file with problems, naming each with its line", () => {
  const file = join(setupDirectory(), "edge.yaml");
  writeFileSync(file, "topology: cdn\nupstream: x\n");
  const rendered = edge("render", file);
  expect(rendered).toMatchObject({ status: 2, stdout: "" });
  expect(rendered.stderr).toContain(`${file}:2: the file has no field "upstream"`);
  expect(rendered.stderr).toContain("needs cdn.cidrs");
});

test("edge lint answers 0 for clean files, 1 with findings, 2 for what it cannot read", () => {
  expect(edge("lint", "deploy/nginx/cdn.conf", "deploy/haproxy/direct.cfg")).toMatchObject({
    status: 0,
    stdout: "no findings in 2 files\n",
  });
  const wrong = edge("lint", "--topology", "cdn-append", "deploy/nginx/direct.conf");
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toContain("topology-mismatch");
  expect(edge("lint", "no-such-file.conf").status).toBe(2);
  expect(edge("lint").status).toBe(2);
  expect(edge("lint", "--topology", "mesh", "deploy/nginx/direct.conf").status).toBe(2);
  expect(edge("lint", "--colour", "deploy/nginx/direct.conf").status).toBe(2);
  expect(edge("lint", "package-lock.json").status).toBe(2);
});

test("edge lint --json names file, line, rule, message and mend, in included files as well", () => {
  const directory = setupDirectory();
  mkdirSync(join(directory, "sites"));
  const included = join(directory, "sites", "10-api.conf");
  const main = join(directory, "nginx.conf");
  writeFileSync(main, "events {}\nhttp {\n  include sites/*.conf;\n  include absent.conf;\n}\n");
  writeFileSync(
    included,
    `server {
  listen 80;
  proxy_set_header X-Forwarded-For $remote_addr;
  location = /.well-known/jwks.json {
    proxy_set_header X-Only one;
    proxy_pass http://127.0.0.1:4001;
  }
}
`,
  );
  const linted = edge("lint", "--json", main);
  expect(linted.status).toBe(1);
  expect(JSON.parse(linted.stdout)).toEqual([
    {
      file: main,
      line: 4,
      rule: "include-not-read",
      message: expect.stringContaining(join(directory, "absent.conf")),
      mend: expect.any(String),
      severity: "warning",
      places: 1,
      topology: "direct",
    },
    {
      file: included,
      line: 5,
      rule: "inherited-headers-lost",
      message: expect.stringContaining("X-Forwarded-For"),
      mend: expect.stringContaining("proxy_set_header"),
      severity: "error",
      places: 1,
      topology: "direct",
    },
  ]);
  expect(linted.stderr).toContain(`${main}: topology direct is assumed`);
  const errors = edge("lint", "--json", "--severity", "error", main);
  expect(errors.status).toBe(1);
  expect(JSON.parse(errors.stdout)).toHaveLength(1);
  expect(edge("lint", "--json", "deploy/nginx/cdn.conf")).toMatchObject({
    status: 0,
    stdout: "[]\n",
  });
});

test("edge lint answers 2 where nothing is read, and still says what is wrong with other files", () => {
  const directory = setupDirectory();
  const traefik = join(directory, "traefik.yml");
  const nginx = join(directory, "nginx.conf");
  writeFileSync(traefik, "entryPoints: { web: { forwardedHeaders: { insecure: true } } }\n");
  writeFileSync(nginx, "server { listen 80; location / { proxy_pass http://10.0.0.1:4001; } }\n");
  const both = edge("lint", traefik, directory, nginx);
  expect(both.status).toBe(2);
  expect(both.stderr).toContain(`${traefik}: nothing in this file is read here: `);
  expect(both.stderr).toContain(`${directory} cannot be read`);
  expect(both.stdout).toContain(`${nginx}:1: error: internal-route-exposed`);
  expect(both.stdout).toContain(`${nginx}: topology direct is assumed`);
  expect(both.stdout).toContain("in 1 file\n");
  expect(edge("lint", "--json", traefik)).toMatchObject({ status: 2, stdout: "[]\n" });
  expect(edge("lint", "--upstream", "http://x/y", nginx).status).toBe(2);
});

test("edge lint compares the hops of environment files and manifests with the topology", () => {
  const directory = setupDirectory();
  const env = join(directory, "auth.env");
  const manifest = join(directory, "gateway.yaml");
  writeFileSync(env, "AUTH_PORT=4001\nAPI_TRUST_PROXY_HOPS=2\n");
  writeFileSync(manifest, 'env:\n  - name: REALTIME_TRUST_PROXY_HOPS\n    value: "1"\n');
  expect(findings("--topology", "direct", env, manifest)).toEqual([[env, 2, "hops-mismatch"]]);
  expect(findings("--topology", "cdn-append", env, manifest)).toEqual([
    [manifest, 3, "hops-mismatch"],
  ]);
});

test("edge explains each verb, and refuses one it does not have", () => {
  for (const verb of ["render", "lint", "run"]) {
    expect(edge(verb, "--help")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`edge ${verb}`),
    });
  }
  expect(edge("--help").stdout).toContain("Exit codes");
  expect(edge("mend").status).toBe(2);
  expect(edge().status).toBe(2);
});

for (const proxy of RUNNABLE_PROXIES) {
  describe.runIf(canRun(proxy))(`edge run ${proxy}`, () => {
    test("forwards to a running system, and leaves nothing behind after Ctrl-C", async () => {
      const temporary = setupDirectory();
      const recorder = await startRecorder();
      onTestFinished(async () => await recorder.stop());
      const port = await findFreePort();
      const child = spawn(process.execPath, [MAIN, "run", proxy, "--listen", String(port)], {
        env: { PATH: process.env["PATH"], TMPDIR: temporary, AUTH_PORT: String(recorder.port) },
        stdio: ["ignore", "pipe", "ignore"],
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
      const exited = new Promise((resolve) => child.once("exit", resolve));
      await eventually(() => expect(output).toContain("API_TRUST_PROXY_HOPS=1"), 15_000);
      const hostile = { id: "", lines: ["X-Forwarded-For: 6.6.6.6"], forwardedLines: ["6.6.6.6"] };
      const { status } = await sendRaw({ host: "127.0.0.1", port }, requestOn(API, hostile));
      expect(status).toBe(200);
      expect(recorder.take().map((one) => valuesOf(one, "x-forwarded-for"))).toEqual([
        ["127.0.0.1"],
      ]);
      child.kill("SIGINT");
      expect(await exited).toBe(0);
      expect(readdirSync(temporary)).toEqual([]);
      expect(await isPortFree("127.0.0.1", port)).toBe(true);
    });
  });
}

test("edge run says what to install when the proxy is missing", () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, "run", "nginx"], {
    encoding: "utf8",
    env: { PATH: "/nonexistent" },
  });
  expect(status).toBe(1);
  expect(stderr).toContain("apt-get install nginx");
  expect(stderr).toContain("brew install nginx");
});

test.runIf(canRun("nginx"))(
  "edge run says which port is taken, and how to choose another",
  async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    const port = await findFreePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const { status, stderr } = edge("run", "nginx", "--listen", String(port));
    expect(status).toBe(1);
    expect(stderr).toContain(`127.0.0.1:${port} is taken; choose another with --listen`);
  },
);

function edge(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] },
  });
  return { status, stdout, stderr };
}

function findings(...args: string[]): [string, number, string][] {
  const parsed: { file: string; line: number; rule: string }[] = JSON.parse(
    edge("lint", "--json", ...args).stdout,
  );
  return parsed.map(({ file, line, rule }) => [file, line, rule]);
}

function setupDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "edge-command-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
