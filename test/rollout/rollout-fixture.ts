import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TimerReport } from "../../tools/rollout/dead-man/dead-man-timer.ts";
import { stateFilesIn } from "../../tools/rollout/files/state-files.ts";
import { type Journal, readJournal } from "../../tools/rollout/state/journal.ts";
import { eventually } from "../fixtures/eventually.ts";

/** How one run of the program ended. */
export type CliRun = { exitCode: number | null; stdout: string; stderr: string };

/**
 * A deployment made of text files: each operator command appends what it did to a log. It stands
 * for compose, kubectl or systemctl, which the program does not know either.
 */
export type FakeDeployment = {
  directory: string;
  run(...arguments_: string[]): Promise<CliRun>;
  /** Starts the program without waiting for it. */
  start(...arguments_: string[]): ChildProcess;
  /** Sets how long later changes have to be confirmed. */
  setDeadManSeconds(seconds: number): Promise<void>;
  /** What the commands did, in order. */
  log(): Promise<string[]>;
  journal(): Promise<Journal>;
  timer(): Promise<TimerReport>;
  /** Waits until the state is settled and no timer is armed. */
  settled(timeoutMs?: number): Promise<Journal>;
  remove(): Promise<void>;
};

/** Settings that a test changes. */
export type FakeOptions = {
  deadManSeconds?: number;
  commandSeconds?: number;
  /** Replaces commands, by name, for example `apply-limiter`. */
  commands?: Readonly<Record<string, string>>;
  environment?: Readonly<Record<string, string>>;
  /** Environment files, by service. */
  envFiles?: Readonly<Record<string, string>>;
  /** Lines added to the configuration. */
  settings?: string;
};

const PROGRAM = "dist/tools/rollout/main.js";
/** A loaded machine takes seconds to start a process, and the timer is another process. */
const SETTLE_TIMEOUT_MS = 20_000;

export async function createFakeDeployment(options: FakeOptions = {}): Promise<FakeDeployment> {
  const directory = await mkdtemp(join(tmpdir(), "portcullis-rollout-"));
  const config = join(directory, "rollout.yaml");
  await writeFile(config, renderConfig(options));
  const files = stateFilesIn(join(directory, "state"));
  const children: ChildProcess[] = [];
  const start = (...arguments_: string[]) => {
    const child = spawn(process.execPath, [PROGRAM, ...arguments_, "--config", config], {
      env: { PATH: process.env["PATH"], ...options.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    return child;
  };
  const journal = () => readJournal(files.journal);
  return {
    directory,
    start,
    run: (...arguments_) => waitForExit(start(...arguments_)),
    setDeadManSeconds: (deadManSeconds) =>
      writeFile(config, renderConfig({ ...options, deadManSeconds })),
    async log() {
      const text = await readFile(join(directory, "log"), "utf8").catch(() => "");
      return text.split("\n").filter((line) => line !== "");
    },
    journal,
    timer: async (): Promise<TimerReport> => JSON.parse(await readFile(files.timer, "utf8")),
    settled: async (timeoutMs = SETTLE_TIMEOUT_MS) =>
      await eventually(async () => {
        const now = await journal();
        if (now.state.activity.kind === "settled" && now.timer === null) return now;
        throw new Error(`not settled: ${JSON.stringify(now.state)}`);
      }, timeoutMs),
    async remove() {
      for (const child of children) child.kill("SIGKILL");
      // A timer ends at its next poll, and may write a file here until then: rm retries.
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function waitForExit(child: ChildProcess): Promise<CliRun> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { exitCode, stdout, stderr };
}

function renderConfig(options: FakeOptions) {
  const { commands = {}, deadManSeconds = 30, commandSeconds = 20, settings = "" } = options;
  const service = (name: string) => {
    const file = options.envFiles?.[name];
    return `{ url: "http://127.0.0.1:9"${file === undefined ? "" : `, envFile: ${file}`} }`;
  };
  const command = (name: string) => JSON.stringify(commands[name] ?? `echo ${name} >> log`);
  const change = (name: string) =>
    `apply: ${command(`apply-${name}`)}, rollback: ${command(`rollback-${name}`)}`;
  const verify = (stage: string) => {
    const isJudged = commands[`verify-${stage}`] !== "";
    return `judges: []${isJudged ? `, verify: ${command(`verify-${stage}`)}` : ""}`;
  };
  // Nothing listens there: only their own commands judge these deployments.
  return `
edge: { url: "http://127.0.0.1:9" }
services:
  auth: ${service("auth")}
  limiter: ${service("limiter")}
  gateway: ${service("gateway")}
prometheus: { url: "http://127.0.0.1:9" }
canary: { account: { email: canary@example.test, passwordEnv: CANARY_PASSWORD } }
stages:
  proxy: { ${change("proxy")}, ${verify("proxy")} }
  api: { limiter: { ${change("limiter")} }, auth: { ${change("auth")} }, ${verify("api")} }
  gateway: { ${change("gateway")}, ${verify("gateway")} }
  canary: { ${verify("canary")} }
deadManSeconds: ${deadManSeconds}
commandSeconds: ${commandSeconds}
stateDir: state
${settings}
`;
}
