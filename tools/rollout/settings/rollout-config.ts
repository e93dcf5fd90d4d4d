import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import { ConfigError } from "../../../services/runtime/env.ts";
import type { Topology } from "../../edge/edge-config.ts";
import { HOPS } from "../../edge/edge-policy.ts";
import { DIRECT, findPreset, hopsWithoutEdge, PRESET_NAMES } from "../../edge/presets.ts";
import type { InnerDoor } from "../../edge/probe/inner-doors.ts";
import { openTrusted } from "../../trust/trusted-file.ts";
import { ensureTrustedWay } from "../../trust/trusted-path.ts";
import { createFieldReader, type FieldReader, type Problems } from "../terms/field-reader.ts";
import { findInnerDoors } from "./service-doors.ts";

/** Where `--config` points unless told otherwise. */
export const ROLLOUT_CONFIG_FILE = "rollout.yaml";

/** What the proxies in front of the services do with X-Forwarded-For. */
export type RolloutTopology = Topology;

export const ROLLOUT_SERVICES = ["auth", "limiter", "gateway"] as const;
export type RolloutServiceName = (typeof ROLLOUT_SERVICES)[number];

/** Where a service is reached directly, and the file its environment comes from. */
export type RolloutService = { url: string; envFile: string | undefined };

/** The operator's own commands for one change; both must be safe to run twice. */
export type ChangeCommands = { apply: string; rollback: string };

/** What looks at a stage after it was applied. */
export const STAGE_JUDGES = ["identity", "preflight", "probe", "align", "canary"] as const;
export type StageJudge = (typeof STAGE_JUDGES)[number];

/** How a stage is verified: by judges of ours, and by a command of the operator's own. */
export type StageVerification = { judges: readonly StageJudge[]; verify: string | undefined };

export type RolloutConfig = Awaited<ReturnType<typeof loadRolloutConfig>>;

/** Long enough to look at a dashboard, short enough that nobody is locked out for long. */
const DEAD_MAN_SECONDS = { min: 1, max: 86_400, default: 300 };
const COMMAND_SECONDS = { min: 1, max: 3_600, default: 120 };
/** Below ten minutes a slow leak of identity does not show. */
const CANARY_SECONDS = { min: 1, max: 86_400, default: 600 };
const CANARY_REQUESTS = { min: 1, max: 1_000_000_000, default: 1_000 };

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
  const document = parseDocument(text);
  const problems: Problems = document.errors.map((error) => error.message.split("\n", 1)[0] ?? "");
  if (problems.length > 0) throw new ConfigError(problems);
  const root = createFieldReader(document.toJS(), "", problems);
  const path = (relative: string) => resolve(directory, relative);
  const config = {
    /** Where the file is; commands run there. */
    directory,
    edge: readEdge(root.map("edge"), path),
    ...readServices(root.map("services"), path),
    operatorTokenEnv: root.text("operatorTokenEnv", "OPERATOR_SERVICE_TOKEN"),
    prometheus: readPrometheus(root.map("prometheus")),
    canary: readCanary(root.map("canary")),
    stages: readStages(root.map("stages")),
    release: readExpectedRelease(root.map("release")),
    /** The services that this rollout is meant to open; all others must fail closed. */
    failOpen: readFailOpen(root),
    /** What ends the degraded mode of a service. */
    endDegraded: readEndDegraded(root.map("endDegraded")),
    /** Told of whatever was taken back, with the outcome as JSON on its standard input. */
    notify: root.optional("notify"),
    /** How long a change may stay unconfirmed before it is rolled back by itself. */
    deadManSeconds: root.number("deadManSeconds", DEAD_MAN_SECONDS),
    /** How long one command may take. */
    commandSeconds: root.number("commandSeconds", COMMAND_SECONDS),
    stateDir: path(root.text("stateDir", ".portcullis/rollout")),
  };
  root.finish();
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function readEdge(edge: FieldReader, path: (relative: string) => string) {
  const config = edge.list("config").map(path);
  const read = {
    url: edge.url("url"),
    config,
    ...describeFront(edge.oneOf("topology", PRESET_NAMES, "direct"), config.length > 0),
  };
  edge.finish();
  return read;
}

/** A balancer without an edge behind it appends for everybody, and its entries are the hops. */
function describeFront(name: string, hasEdge: boolean) {
  const preset = findPreset(name) ?? DIRECT;
  const alone = hasEdge || preset.topology !== "cdn" ? undefined : hopsWithoutEdge(preset);
  const topology: RolloutTopology = alone === undefined ? preset.topology : "cdn-append";
  return { front: name, topology, hops: alone ?? HOPS[topology], standsAlone: alone !== undefined };
}

function readServices(services: FieldReader, path: (relative: string) => string) {
  const read = (name: RolloutServiceName): RolloutService => {
    const service = services.map(name);
    const url = service.url("url");
    const envFile = service.optional("envFile");
    service.finish();
    return { url, envFile: envFile === undefined ? undefined : path(envFile) };
  };
  const readDoor = (door: InnerDoor): string | undefined => {
    if (!services.has(door)) return void services.map(door);
    const map = services.map(door);
    const url = map.url("url");
    map.finish();
    return url;
  };
  const all = { auth: read("auth"), limiter: read("limiter"), gateway: read("gateway") };
  const doors = { authAdmin: readDoor("authAdmin"), gatewayRpc: readDoor("gatewayRpc") };
  services.finish();
  return { services: all, doors };
}

/** The limiter decides or does not; only who asks it can be open. */
const OPENABLE = ["auth", "gateway"] as const;
export type OpenableService = (typeof OPENABLE)[number];

function readFailOpen(root: FieldReader): readonly RolloutServiceName[] {
  const names = root.list("failOpen");
  const open = OPENABLE.filter((service) => names.includes(service));
  if (open.length < names.length) root.problem("failOpen", `may hold ${OPENABLE.join(", ")}`);
  return open;
}

function readEndDegraded(
  commands: FieldReader,
): Readonly<Record<OpenableService, string | undefined>> {
  const read = { auth: commands.optional("auth"), gateway: commands.optional("gateway") };
  commands.finish();
  return read;
}

/** What must run after each stage; what is not said may be anything. */
function readExpectedRelease(release: FieldReader) {
  const read = { version: release.optional("version"), revision: release.optional("revision") };
  release.finish();
  return read;
}

function readPrometheus(prometheus: FieldReader) {
  const url = prometheus.url("url");
  prometheus.finish();
  return { url };
}

function readCanary(canary: FieldReader) {
  const account = canary.map("account");
  const datasources = canary.map("datasources");
  const read = {
    account: { email: account.text("email"), passwordEnv: account.text("passwordEnv") },
    datasources: {
      public: datasources.text("public", "demo"),
      private: datasources.text("private", "demo-private"),
    },
    durationSeconds: canary.number("durationSeconds", CANARY_SECONDS),
    minRequests: canary.number("minRequests", CANARY_REQUESTS),
  };
  for (const part of [account, datasources, canary]) part.finish();
  return read;
}

function readStages(stages: FieldReader) {
  const [proxy, api, gateway, canary] = [
    stages.map("proxy"),
    stages.map("api"),
    stages.map("gateway"),
    stages.map("canary"),
  ];
  const read = {
    proxy: { ...readChange(proxy), ...readVerification(proxy, ["identity", "probe"]) },
    api: {
      limiter: readChangeAt(api, "limiter"),
      auth: readChangeAt(api, "auth"),
      ...readVerification(api, ["identity", "probe"]),
    },
    gateway: {
      ...readChange(gateway),
      ...readVerification(gateway, ["identity", "preflight", "probe", "align"]),
    },
    /** Changes nothing. */
    canary: readVerification(canary, ["identity", "canary"]),
  };
  for (const stage of [proxy, api, gateway, canary, stages]) stage.finish();
  return read;
}

function readChangeAt(stage: FieldReader, name: string): ChangeCommands {
  const change = stage.map(name);
  const commands = readChange(change);
  change.finish();
  return commands;
}

function readChange(change: FieldReader): ChangeCommands {
  return { apply: change.text("apply"), rollback: change.text("rollback") };
}

function readVerification(stage: FieldReader, standard: readonly StageJudge[]): StageVerification {
  const verify = stage.optional("verify");
  if (!stage.has("judges")) return { verify, judges: standard };
  const names = stage.list("judges");
  const judges = STAGE_JUDGES.filter((judge) => names.includes(judge));
  if (judges.length < names.length) {
    stage.problem("judges", `may hold ${STAGE_JUDGES.join(", ")}, each once`);
  }
  return { verify, judges };
}
