import { networkInterfaces } from "node:os";
import { parseArgs } from "node:util";
import { exitText } from "../up/child.ts";
import { type ExitCode, readChoice, type Terminal, UsageError } from "./command.ts";
import {
  type EdgeConfig,
  type Endpoint,
  formatEndpoint,
  readEndpoint,
  readListenEndpoints,
} from "./edge-config.ts";
import { HOPS, REALTIME_PATH } from "./edge-policy.ts";
import { loadConfig } from "./load-config.ts";
import { PRESET_NAMES } from "./presets.ts";
import { ProxyStartError, RUNNABLE_PROXIES, startProxy } from "./start-proxy.ts";

export const RUN_HELP = `Usage: edge run nginx|haproxy|caddy [--listen PORT] [--topology NAME] [FILE.yaml]

Starts the rendered proxy in the foreground, in front of a system that runs on this machine, with
its files in a temporary directory. Ctrl-C stops it and removes them.

  --listen PORT       a port of the loopback interface (8080, or EDGE_PORT), or ADDRESS:PORT
  --auth HOST:PORT    where auth listens (127.0.0.1:4001, or AUTH_PORT)
  --gateway HOST:PORT where the gateway listens (127.0.0.1:8001, or GATEWAY_PORT)
  --console HOST:PORT where the console listens; without it there is none
  --topology NAME     what stands in front, in place of the one in the file (see render --help)
  -h, --help          this text

FILE.yaml is as for render; the options above take the place of what it says.

Example, the full chain on one machine:
  API_TRUST_PROXY_HOPS=1 REALTIME_TRUST_PROXY_HOPS=1 npm start
  npm run -s edge -- run nginx
`;

const DEFAULT_PORT = "8080";

/** `edge run`: a proxy in the foreground, until it is told to stop or ends by itself. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      listen: { type: "string" },
      auth: { type: "string" },
      gateway: { type: "string" },
      console: { type: "string" },
      topology: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    terminal.write(RUN_HELP);
    return 0;
  }
  const [name, file, ...more] = positionals;
  const proxy = readChoice("run", name, RUNNABLE_PROXIES);
  if (proxy === undefined) throw new UsageError(`run needs one of ${RUNNABLE_PROXIES.join(", ")}`);
  if (more.length > 0) throw new UsageError("run takes one YAML file");
  const topology = readChoice("--topology", values.topology, PRESET_NAMES);
  const { environment } = terminal;
  const local = (port: string | undefined) => (port === undefined ? port : `127.0.0.1:${port}`);
  const config = withOverrides(loadConfig(file, topology), {
    listen:
      values.listen ?? environment["EDGE_PORT"] ?? (file === undefined ? DEFAULT_PORT : undefined),
    auth: values.auth ?? local(environment["AUTH_PORT"]),
    gateway: values.gateway ?? local(environment["GATEWAY_PORT"]),
    console: values.console,
  });
  try {
    const onLine = (line: string) => terminal.writeError(`${proxy}: ${line}\n`);
    const running = await startProxy({ proxy, config, path: environment["PATH"], onLine });
    const stopped = untilStopped(running, terminal);
    // Whoever reads this may press Ctrl-C at once.
    terminal.write(describeRunning(proxy, config));
    return await stopped;
  } catch (error) {
    if (!(error instanceof ProxyStartError)) throw error;
    terminal.writeError(`edge run: ${error.message}\n`);
    return 1;
  }
}

type Overrides = Record<"listen" | "auth" | "gateway" | "console", string | undefined>;

function withOverrides(config: EdgeConfig, overrides: Overrides): EdgeConfig {
  const upstream = (name: "auth" | "gateway" | "console"): readonly Endpoint[] => {
    const text = overrides[name];
    if (text === undefined) return config.upstreams[name];
    const endpoint = readEndpoint(text);
    if (endpoint === undefined) throw new UsageError(`--${name} must be HOST:PORT, not "${text}"`);
    return [endpoint];
  };
  return {
    ...config,
    listen: overrides.listen === undefined ? config.listen : readListen(overrides.listen),
    upstreams: {
      auth: upstream("auth"),
      gateway: upstream("gateway"),
      console: upstream("console"),
    },
  };
}

/** A bare port is for this machine alone: nobody else is meant to reach a system under development. */
function readListen(text: string): readonly Endpoint[] {
  const endpoints = readListenEndpoints(text);
  if (endpoints === undefined) {
    throw new UsageError(`--listen must be a port or ADDRESS:PORT, not "${text}"`);
  }
  const [{ port } = { port: 0 }] = endpoints;
  if (endpoints.length === 1) return endpoints;
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const hasIpv6 = interfaces.some(({ address }) => address === "::1");
  const hosts = hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
  return hosts.map((host) => ({ host, port }));
}

function describeRunning(proxy: string, config: EdgeConfig): string {
  const { topology, preset, upstreams } = config;
  const scheme = config.tls === undefined ? "http" : "https";
  const [first = { host: "127.0.0.1", port: 0 }] = config.listen;
  const hops = HOPS[topology];
  return `${proxy} is the edge: ${scheme}://${formatEndpoint(first)} (topology ${preset}); Ctrl-C stops it
  auth ${upstreams.auth.map(formatEndpoint).join(", ")}, gateway ${upstreams.gateway.map(formatEndpoint).join(", ")}, websocket at ${REALTIME_PATH}
  the services must run with API_TRUST_PROXY_HOPS=${hops} and REALTIME_TRUST_PROXY_HOPS=${hops}
`;
}

type Running = Awaited<ReturnType<typeof startProxy>>;

async function untilStopped(running: Running, terminal: Terminal): Promise<ExitCode> {
  let isStopping = false;
  const stop = () => {
    isStopping = true;
    // A proxy that cannot be stopped is reported by its exit below.
    running.stop().catch((error: unknown) => terminal.writeError(`${String(error)}\n`));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const exit = await running.exited;
  process.off("SIGINT", stop);
  process.off("SIGTERM", stop);
  if (isStopping) return 0;
  terminal.writeError(`edge run: the proxy ${exitText(exit)}\n`);
  return 1;
}
