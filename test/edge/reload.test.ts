import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { EdgeConfig } from "../../tools/edge/edge-config.ts";
import { DRAIN_SECONDS } from "../../tools/edge/edge-policy.ts";
import { formatRequest, sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { renderCaddy } from "../../tools/edge/render-caddy.ts";
import { renderHaproxy } from "../../tools/edge/render-haproxy.ts";
import { renderNginx } from "../../tools/edge/render-nginx.ts";
import { RUNNABLE_PROXIES, type RunnableProxy } from "../../tools/edge/start-proxy.ts";
import { type Child, startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import { canRun } from "./can-run.ts";
import { edgeConfig } from "./edge-fixture.ts";
import { API, REALTIME, requestOn } from "./routes.ts";

/** Where a process' children are listed. */
const IS_LINUX = process.platform === "linux";

const CLIENTS = 6;
const RELOADS = 3;
/** Long enough that every reload finds requests under way. */
const SERVICE_MS = 40;
/** In place of the rendered time, so that nobody waits for it. */
const SHORT_DRAIN_SECONDS = 1;
const STOP_TIMEOUT_MS = 3_000;

for (const proxy of RUNNABLE_PROXIES) {
  describe.runIf(IS_LINUX && canRun(proxy))(`${proxy} as it is rendered`, () => {
    test("reloads under load without losing a request, and leaves no old worker behind", async () => {
      const edge = await setup(proxy);
      const websocket = await openWebsocket(edge.port);
      const before = edge.workers();
      const load = startLoad(edge.port);
      for (let reload = 0; reload < RELOADS; reload++) {
        const answered = load.answered();
        await eventually(() => expect(load.answered()).toBeGreaterThan(answered + CLIENTS));
        edge.reload();
      }
      const answered = load.answered();
      await eventually(() => expect(load.answered()).toBeGreaterThan(answered + CLIENTS));
      expect(await load.stop()).toEqual([]);
      await websocket.closed;
      await eventually(() => {
        const left = edge.workers().filter((pid) => before.includes(pid));
        expect(left).toEqual([]);
      }, 15_000);
      expect((await sendRaw({ host: "127.0.0.1", port: edge.port }, PLAIN)).status).toBe(200);
    });
  });
}

const NOTHING = { id: "", lines: [], forwardedLines: [] };
const PLAIN = requestOn(API, NOTHING);

/** Sends one request after another, each on a connection of its own. */
function startLoad(port: number) {
  let isStopping = false;
  let answered = 0;
  const lost: string[] = [];
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (!isStopping) {
      const outcome = await send(port);
      if (outcome === "200") answered += 1;
      else lost.push(outcome);
    }
  });
  return {
    answered: () => answered,
    stop: async () => {
      isStopping = true;
      await Promise.all(clients);
      return lost;
    },
  };
}

async function send(port: number): Promise<string> {
  return await new Promise((resolve) => {
    const to = { host: "127.0.0.1", port, method: "POST", path: API.path, agent: false };
    const sending = request(to, (response) => {
      response.resume();
      response.on("close", () => resolve(String(response.statusCode)));
    });
    sending.on("error", (error) => resolve(error.message));
    sending.end();
  });
}

/** A websocket that stays open until the edge closes it. */
async function openWebsocket(port: number): Promise<{ closed: Promise<unknown> }> {
  const socket = connect({ host: "127.0.0.1", port });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => socket.destroy());
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(formatRequest(requestOn(REALTIME, NOTHING)));
  const [head] = await new Promise<Buffer[]>((resolve) => {
    socket.once("data", (chunk) => resolve([chunk]));
  });
  expect(String(head)).toContain(" 101 ");
  socket.resume();
  return { closed };
}

async function setup(proxy: RunnableProxy) {
  const service = await startService();
  const port = await findFreePort();
  const directory = mkdtempSync(join(tmpdir(), `edge-reload-${proxy}-`));
  mkdirSync(join(directory, "logs"));
  const file = join(directory, "edge.conf");
  const environment = {
    ...{ PATH: process.env["PATH"], HOME: directory },
    ...{ XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory },
  };
  const { text, run, reload } = commandsOf(proxy, edgeConfig(port, service.port), directory, file);
  const drained = text.replace(` ${DRAIN_SECONDS}s`, ` ${SHORT_DRAIN_SECONDS}s`);
  expect(drained).not.toBe(text);
  writeFileSync(file, drained);
  const child = await startChild({ name: proxy, command: proxy, arguments: run, environment });
  onTestFinished(async () => {
    await child.stop(STOP_TIMEOUT_MS);
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await eventually(async () => expect(await send(port)).toBe("200"), 15_000);
  return {
    port,
    workers: () => childrenOf(child.pid),
    reload: () => reload(child, environment),
  };
}

/** As a system service would run it: nginx and HAProxy with a master, each with its own signal. */
function commandsOf(proxy: RunnableProxy, config: EdgeConfig, directory: string, file: string) {
  const caddyfile = ["--config", file, "--adapter", "caddyfile"];
  const commands = {
    nginx: {
      text: renderNginx(config, directory),
      run: ["-c", file, "-p", directory, "-e", "stderr"],
      reload: (child: Child) => child.kill("SIGHUP"),
    },
    haproxy: {
      text: renderHaproxy(config),
      run: ["-W", "-q", "-f", file],
      reload: (child: Child) => child.kill("SIGUSR2"),
    },
    caddy: {
      text: renderCaddy(config),
      run: ["run", ...caddyfile],
      reload: (_child: Child, env: NodeJS.ProcessEnv) => {
        const { status, stderr } = spawnSync("caddy", ["reload", ...caddyfile, "--force"], { env });
        expect(status, String(stderr)).toBe(0);
      },
    },
  };
  return commands[proxy];
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean);
}

/** Answers after a while, and upgrades whoever asks. */
async function startService() {
  const sockets = new Set<Socket>();
  const server: Server = createServer((incoming, response) => {
    incoming.resume();
    setTimeout(() => response.end("ok"), SERVICE_MS);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  server.on("upgrade", (_incoming, socket) => {
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    socket.write(
      `${lines.join("\r\n")}\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the service has no port");
  return {
    port: address.port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
