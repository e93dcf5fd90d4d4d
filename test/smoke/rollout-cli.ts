import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Check, Verdict } from "../../tools/rollout/terms/verdict.ts";

/** The decoded result of one run with `--json`. */
export type CliAnswer = {
  exitCode: number | null;
  verdict: Verdict | undefined;
  checks: readonly Check[];
  /** All other output. */
  json: Readonly<Record<string, unknown>>;
  /** Describes the run in the message of a failed expectation. */
  text: string;
};

export type Cli = {
  run(...arguments_: string[]): Promise<CliAnswer>;
  /** Starts the program without waiting for its exit. */
  start(...arguments_: string[]): ChildProcess;
  stop(): Promise<void>;
};

const PROGRAM = join(process.cwd(), "dist/tools/rollout/main.js");

/** Runs the rollout program like an operator, in the directory of its configuration. */
export function createCli(directory: string, environment: NodeJS.ProcessEnv): Cli {
  const children: ChildProcess[] = [];
  const start = (...arguments_: string[]) => {
    const child = spawn(process.execPath, [PROGRAM, ...arguments_, "--json"], {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    return child;
  };
  return {
    start,
    run: async (...arguments_) => await readAnswer(start(...arguments_)),
    async stop() {
      for (const child of children) child.kill("SIGKILL");
    },
  };
}

async function readAnswer(child: ChildProcess): Promise<CliAnswer> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const json = stdout === "" ? {} : JSON.parse(stdout);
  const checks: readonly Check[] = json.checks ?? [];
  const bad = checks.filter(({ verdict }) => verdict !== "pass");
  const lines = bad.map(({ id, verdict, observed }) => `${verdict} ${id}: ${observed}`);
  return { exitCode, verdict: json.verdict, checks, json, text: [...lines, stderr].join("\n") };
}
