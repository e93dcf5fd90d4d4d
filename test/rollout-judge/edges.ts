import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EdgeConfig, Endpoint, Topology } from "../../tools/edge/edge-config.ts";
import { renderNginx } from "../../tools/edge/render-nginx.ts";
import { startProxy } from "../../tools/edge/start-proxy.ts";
import { startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import type { ServiceUrls } from "../fixtures/services.ts";

export type Edge = {
  url: string;
  /** The configuration it was rendered from, as an operator would deploy it. */
  configFile: string;
  stop(): Promise<void>;
};

const STOP_TIMEOUT_MS = 3_000;

/** Starts a real nginx from the configuration that we render. */
export async function startRenderedEdge(
  urls: ServiceUrls,
  topology: Topology = "direct",
): Promise<Edge> {
  const port = await findFreePort();
  const config: EdgeConfig = {
    domains: [],
    listen: [{ host: "127.0.0.1", port }],
    tls: undefined,
    preset: topology,
    topology,
    front: { peers: ["127.0.0.0/8"], header: "X-Forwarded-For", entries: 1 },
    upstreams: { auth: [endpointOf(urls.auth)], gateway: [endpointOf(urls.gateway)], console: [] },
  };
  const directory = createDirectory();
  const configFile = join(directory, "nginx.conf");
  writeFileSync(configFile, renderNginx(config));
  const proxy = await startProxy({ proxy: "nginx", config, path: process.env["PATH"] });
  return {
    url: `http://127.0.0.1:${port}`,
    configFile,
    async stop() {
      await proxy.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

/** Starts a real nginx with a hand-written configuration that forwards every path. */
export async function startHandWrittenEdge(urls: ServiceUrls, headerLine: string): Promise<Edge> {
  const port = await findFreePort();
  const directory = createDirectory();
  mkdirSync(join(directory, "logs"));
  const configFile = join(directory, "nginx.conf");
  writeFileSync(configFile, handWritten({ urls, port, directory, headerLine }));
  const child = await startChild({
    name: "nginx",
    command: "nginx",
    arguments: ["-c", configFile, "-p", directory, "-e", "stderr"],
    environment: { PATH: process.env["PATH"] },
    onLine: () => undefined,
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(() => fetch(url));
  return {
    url,
    configFile,
    async stop() {
      await child.stop(STOP_TIMEOUT_MS);
      rmSync(directory, { recursive: true });
    },
  };
}

function handWritten(edge: {
  urls: ServiceUrls;
  port: number;
  directory: string;
  headerLine: string;
}): string {
  const { urls, port, directory, headerLine } = edge;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${directory}/${kind};`)
    .join("\n");
  return `pid ${directory}/nginx.pid;
error_log stderr crit;
daemon off;
events {}
http {
  access_log off;
${temporary}
  server {
    listen 127.0.0.1:${port};
    proxy_http_version 1.1;
    location /gateway/ {
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      ${headerLine}
      proxy_pass ${urls.gateway};
    }
    location / {
      ${headerLine}
      proxy_pass ${urls.auth};
    }
  }
}
`;
}

function createDirectory(): string {
  return mkdtempSync(join(tmpdir(), "portcullis-judge-"));
}

function endpointOf(url: string): Endpoint {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
