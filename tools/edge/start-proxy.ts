import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Child, type Exit, exitText, startChild } from "../up/child.ts";
import { isPortFree } from "../up/free-port.ts";
import { type EdgeConfig, type Endpoint, formatEndpoint } from "./edge-config.ts";
import { renderCaddy } from "./render-caddy.ts";
import { renderHaproxy } from "./render-haproxy.ts";
import { renderNginx } from "./render-nginx.ts";

/** The proxies that can be started here; Envoy's configuration is only rendered. */
export type RunnableProxy = "nginx" | "haproxy" | "caddy";

export const RUNNABLE_PROXIES: readonly RunnableProxy[] = ["nginx", "haproxy", "caddy"];

/** A proxy that runs from a rendered configuration in a directory of its own. */
export type RunningProxy = {
  /** Settles when it has ended, whoever ended it. */
  exited: Promise<Exit>;
  errorLines: () => readonly string[];
  /** Ends it and removes its directory. */
  stop: () => Promise<void>;
};

/** What went wrong while a proxy was started, in words for the operator. */
export class ProxyStartError extends Error {
  override name = "ProxyStartError";
}

const START_TIMEOUT_MS = 10_000;
const START_POLL_MS = 20;
/** Open websockets are cut rather than waited for. */
const STOP_TIMEOUT_MS = 3_000;

/** Whether the program can be found and started. */
export function isInstalled(proxy: RunnableProxy): boolean {
  return spawnSync(proxy, [VERSION_ARGUMENT[proxy]], { stdio: "ignore" }).error === undefined;
}

const VERSION_ARGUMENT = { nginx: "-v", haproxy: "-v", caddy: "version" } as const;

/** What to type where the program is missing. */
export function installHint(proxy: RunnableProxy): string {
  return `${proxy} is not installed here: "apt-get install ${proxy}" (Debian, Ubuntu) or "brew install ${proxy}" (macOS) brings it`;
}

/** Renders a configuration, has the proxy check it, and starts it; resolves when it listens. */
export async function startProxy(options: {
  proxy: RunnableProxy;
  config: EdgeConfig;
  /** Where programs are found. */
  path: string | undefined;
  onLine?: ((line: string) => void) | undefined;
}): Promise<RunningProxy> {
  const { proxy, config, onLine } = options;
  if (!isInstalled(proxy)) throw new ProxyStartError(installHint(proxy));
  await requireFreePorts(config.listen);
  const directory = mkdtempSync(join(tmpdir(), `portcullis-edge-${proxy}-`));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    const commands = writeCommands(proxy, config, directory);
    const environment = createEnvironment(options.path, directory);
    checkConfiguration(proxy, commands, environment);
    const child = await startChild({
      name: proxy,
      command: proxy,
      arguments: commands.run,
      environment,
      onLine,
    });
    await waitUntilListening(child, config.listen);
    const exited = child.exited.finally(remove);
    const stop = async () => {
      if (child.isRunning()) await child.stop(STOP_TIMEOUT_MS);
      await exited;
    };
    return { exited, errorLines: child.errorLines, stop };
  } catch (error) {
    remove();
    throw error;
  }
}

type Commands = { check: readonly string[]; run: readonly string[] };

function writeCommands(proxy: RunnableProxy, config: EdgeConfig, directory: string): Commands {
  const file = join(directory, "edge.conf");
  if (proxy === "nginx") {
    // nginx wants its temporary folders' parent to exist, and its own log before it reads the file.
    mkdirSync(join(directory, "logs"));
    writeFileSync(file, renderNginx(config, directory));
    const run = ["-c", file, "-p", directory, "-e", "stderr"];
    return { check: ["-t", "-q", ...run], run };
  }
  if (proxy === "haproxy") {
    writeFileSync(file, renderHaproxy(config));
    return { check: ["-c", "-q", "-f", file], run: ["-q", "-db", "-f", file] };
  }
  writeFileSync(file, renderCaddy(config));
  const from = ["--config", file, "--adapter", "caddyfile"];
  return { check: ["validate", ...from], run: ["run", ...from] };
}

/** Without this a proxy that cannot bind would seem to listen where another program does. */
async function requireFreePorts(listen: readonly Endpoint[]): Promise<void> {
  for (const endpoint of listen) {
    if (await isPortFree(endpoint.host, endpoint.port)) continue;
    throw new ProxyStartError(`${formatEndpoint(endpoint)} is taken; choose another with --listen`);
  }
}

/** Caddy keeps its state below the home directories of the environment. */
function createEnvironment(path: string | undefined, home: string): NodeJS.ProcessEnv {
  return { PATH: path, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home };
}

function checkConfiguration(
  proxy: RunnableProxy,
  commands: Commands,
  env: NodeJS.ProcessEnv,
): void {
  const check = spawnSync(proxy, commands.check, { encoding: "utf8", env });
  if (check.status === 0) return;
  throw new ProxyStartError(`${proxy} does not accept its configuration:\n${check.stderr}`);
}

/** Resolves when a started proxy takes connections at all of these. */
export async function waitUntilListening(child: Child, listen: readonly Endpoint[]): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (const endpoint of listen) {
    while (!(await isListening(endpoint))) {
      if (!child.isRunning()) {
        const reason = `${child.name} ${exitText(await child.exited)}`;
        throw new ProxyStartError(`${reason}:\n${child.errorLines().join("\n")}`);
      }
      if (performance.now() > deadline) {
        await child.stop(STOP_TIMEOUT_MS);
        throw new ProxyStartError(`${child.name} does not listen on port ${endpoint.port}`);
      }
      await sleep(START_POLL_MS);
    }
  }
}

async function isListening({ host, port }: Endpoint): Promise<boolean> {
  const target = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return await new Promise((resolve) => {
    const socket = connect({ host: target, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
