import { type SpawnOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { watchOwnDeath } from "./death-watch.ts";

/** How a process ended. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null };

/** A process that we started; it does not outlive us. */
export type Child = {
  name: string;
  pid: number;
  /** Settles when the process has ended and its output has been read. */
  exited: Promise<Exit>;
  isRunning(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** Asks the process to exit; kills it after the timeout. */
  stop(timeoutMs: number): Promise<Exit>;
  /** The last lines it wrote to standard error. */
  errorLines(): readonly string[];
};

export type ChildOptions = {
  name: string;
  command: string;
  arguments: readonly string[];
  environment: NodeJS.ProcessEnv;
  /** Called with each line of output. */
  onLine?: ((line: string, stream: "stdout" | "stderr") => void) | undefined;
  /** The signal that asks the process to exit. */
  stopSignal?: "SIGTERM" | "SIGINT";
  /** The user to run as, if not ourselves. */
  user?: { uid: number; gid: number } | undefined;
};

/** Enough lines to show why a process failed. */
const ERROR_LINES_MAX = 40;
/** Surviving children of the process keep its output open; wait no longer than this for them. */
const OUTPUT_GRACE_MS = 200;

/** Starts a process; rejects if the program does not exist. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, stopSignal = "SIGTERM" } = options;
  const errorLines: string[] = [];
  const spawnOptions: SpawnOptions = {
    env: options.environment,
    stdio: ["ignore", "pipe", "pipe"],
    // A separate process group: Ctrl-C reaches only the parent, which stops its children in order.
    detached: true,
    ...options.user,
  };
  const process = spawn(options.command, options.arguments, spawnOptions);
  const onLine = (line: string, stream: "stdout" | "stderr") => {
    if (stream === "stderr") {
      errorLines.push(line);
      if (errorLines.length > ERROR_LINES_MAX) errorLines.shift();
    }
    options.onLine?.(line, stream);
  };
  readLines(process.stdout, (line) => onLine(line, "stdout"));
  readLines(process.stderr, (line) => onLine(line, "stderr"));
  const exited = new Promise<Exit>((resolve) => {
    process.once("close", (code, signal) => resolve({ code, signal }));
    process.once("exit", (code, signal) => {
      setTimeout(() => resolve({ code, signal }), OUTPUT_GRACE_MS);
    });
  });
  await new Promise<void>((resolve, reject) => {
    process.once("spawn", resolve);
    process.once("error", (error) => reject(new Error(`${name}: ${error.message}`)));
  });
  const { pid } = process;
  if (pid === undefined) throw new Error(`${name}: the process has no id`);
  const watch = watchOwnDeath(pid, stopSignal);
  process.once("exit", watch.cancel);

  const isRunning = () => process.exitCode === null && process.signalCode === null;
  return {
    name,
    pid,
    exited,
    isRunning,
    kill: (signal) => {
      process.kill(signal);
    },
    async stop(timeoutMs) {
      process.kill(stopSignal);
      const force = setTimeout(() => process.kill("SIGKILL"), timeoutMs);
      const exit = await exited;
      clearTimeout(force);
      return exit;
    },
    errorLines: () => errorLines,
  };
}

function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on("line", onLine);
}

/** How a process ended, in words. */
export function exitText(exit: Exit): string {
  return exit.signal === null ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
}
