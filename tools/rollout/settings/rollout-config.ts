import { dirname, resolve } from "node:path";
import { atLine, nameOf, type Problem } from "../../../services/runtime/documents/problem.ts";
import { readDocument } from "../../../services/runtime/documents/read-document.ts";
import { ConfigError } from "../../../services/runtime/env.ts";
import type { Topology } from "../../edge/edge-config.ts";
import { HOPS } from "../../edge/edge-policy.ts";
import { DIRECT, findPreset, hopsWithoutEdge } from "../../edge/presets.ts";
import { openTrusted } from "../../trust/trusted-file.ts";
import { ensureTrustedWay } from "../../trust/trusted-path.ts";
import { rolloutFields } from "./rollout-schema.ts";
import { findInnerDoors } from "./service-doors.ts";

/** Where `--config` points unless told otherwise. */
export const ROLLOUT_CONFIG_FILE = "rollout.yaml";

/** What the proxies in front of the services do with X-Forwarded-For. */
export type RolloutTopology = Topology;

export const ROLLOUT_SERVICES = ["auth", "limiter", "gateway"] as const;
export type RolloutServiceName = (typeof ROLLOUT_SERVICES)[number];

/** Where a service is reached directly, and the file its environment comes from. */
export type RolloutService = { url: string; envFile?: string | undefined };

/** The operator's own commands for one change; both must be safe to run twice. */
export type ChangeCommands = { apply: string; rollback: string };

export type RolloutConfig = Awaited<ReturnType<typeof loadRolloutConfig>>;

/** Reads the file that describes one deployment; throws a ConfigError with every problem in it. */
export async function loadRolloutConfig(file: string) {
  const text = await readConfigText(file).catch((error: unknown) => {
    throw new ConfigError([`${file}: ${error instanceof Error ? error.message : String(error)}`]);
  });
  const config = parseRolloutConfig(text, dirname(resolve(file)));
  return { ...config, doors: await findInnerDoors(config.services, config.doors) };
}

/** The file holds commands that run as whoever runs this: nobody else may be able to change it. */
async function readConfigText(file: string): Promise<string> {
  const handle = await openTrusted(ensureTrustedWay(file), "read");
  try {
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** Paths in the text are relative to the directory of its file; the answer's are absolute. */
export function parseRolloutConfig(text: string, directory: string) {
  const reading = readDocument(text, rolloutFields, withoutEmptyFields);
  if (reading.kind === "invalid") throw new ConfigError(reading.problems.map(formatProblem));
  const { edge, services, stages, ...settings } = reading.value;
  const path = (relative: string) => resolve(directory, relative);
  const config = edge.config.map(path);
  /** The services that this rollout is meant to open; all others must fail closed. */
  const failOpen: readonly RolloutServiceName[] = settings.failOpen;
  return {
    ...settings,
    failOpen,
    /** Where the file is; commands run there. */
    directory,
    edge: { url: edge.url, config, ...describeFront(edge.topology, config.length > 0) },
    services: {
      auth: withAbsolutePath(services.auth, path),
      limiter: withAbsolutePath(services.limiter, path),
      gateway: withAbsolutePath(services.gateway, path),
    },
    doors: { authAdmin: services.authAdmin?.url, gatewayRpc: services.gatewayRpc?.url },
    stages,
    stateDir: path(settings.stateDir),
  };
}

/** A balancer without an edge behind it appends to every request; the hops are its entries. */
function describeFront(name: string, hasEdge: boolean) {
  const preset = findPreset(name) ?? DIRECT;
  const alone = hasEdge || preset.topology !== "cdn" ? undefined : hopsWithoutEdge(preset);
  const topology: RolloutTopology = alone === undefined ? preset.topology : "cdn-append";
  return { front: name, topology, hops: alone ?? HOPS[topology], standsAlone: alone !== undefined };
}

function withAbsolutePath(
  { url, envFile }: RolloutService,
  path: (relative: string) => string,
): RolloutService {
  return { url, envFile: envFile === undefined ? undefined : path(envFile) };
}

/** A field without a value is as good as none: `notify:` tells nobody. */
function withoutEmptyFields(content: unknown): unknown {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return content;
  const fields = Object.entries(content).filter(([, value]) => value !== null);
  return Object.fromEntries(fields.map(([name, value]) => [name, withoutEmptyFields(value)]));
}

/** `line 3: edge.topology must be one of direct, cdn` */
function formatProblem({ path, line, message }: Problem): string {
  const name = nameOf(path);
  return atLine(line, name === "" ? message : `${name} ${message}`);
}
