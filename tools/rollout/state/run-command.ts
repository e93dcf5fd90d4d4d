import { type ChildProcess, spawn } from "node:child_process";
import type { FileHandle } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redact } from "../evidence/redact.ts";
import { identityOf, isAlive, type ProcessIdentity } from "../files/process-identity.ts";
import { openCommandOutput } from "./command-output.ts";

/** How an operator's command ended. */
export type CommandResult = {
  exitCode: number | null;
  /** What ended it when it did not end itself. */
  stoppedBy: "timeout" | "interrupt" | "signal" | "not started" | null;
  durationMs: number;
  /** The beginning and the end of what it wrote, both streams together. */
  output: string;
};

export type CommandOptions = {
  command: string;
  directory: string;
  environment: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** What it reads from its standard input; nothing unless it is given. */
  input?: string | undefined;
  /** Takes the output if it has room for it. */
  outputFile: string;
  /** Told of the process before it does anything, so that it can be found after a crash. */
  onProcess: (process: ProcessIdentity) => Promise<void>;
  /** Takes secrets out before anything is cut, since half a secret is not found. */
  redact?: Redact;
  signal: AbortSignal;
};

/** Enough to see what went wrong, from either end of the output. */
const OUTPUT_BYTES_MAX = 16_384;
/** No secret of ours is longer. */
const SECRET_BYTES_MAX = 4_096;
/** What a command that is asked to end may take for it. */
const END_GRACE_MS = 2_000;
const POLL_MS = 20;
/**
 * The shell waits for one line before it begins. When we die before sending it, the shell reads the
 * end of its input and does nothing: no command runs that was not written down first.
 */
const WAIT_THEN_RUN = 'read -r go || exit 125; eval "$1" </dev/null';
/** A shell reads its line byte by byte, so that the rest is left for the command. */
const WAIT_THEN_RUN_WITH_INPUT = 'read -r go || exit 125; eval "$1"';

/** Runs a command in a shell and a process group of its own, for a bounded time. */
export async function runCommand(options: CommandOptions): Promise<CommandResult> {
  const { redact = (text: string) => text } = options;
  const output = await openCommandOutput(options.outputFile);
  const startedMs = performance.now();
  try {
    const script = options.input === undefined ? WAIT_THEN_RUN : WAIT_THEN_RUN_WITH_INPUT;
    const child = spawn("/bin/sh", ["-c", script, "rollout", options.command], {
      cwd: options.directory,
      env: options.environment,
      stdio: ["pipe", output.fd, output.fd],
      detached: true,
    });
    const exited = exitOf(child);
    const problem = await startProblemOf(child);
    const durationMs = () => Math.round(performance.now() - startedMs);
    const { pid } = child;
    if (pid === undefined) {
      return {
        exitCode: null,
        stoppedBy: "not started",
        durationMs: durationMs(),
        output: redact(problem),
      };
    }
    await options.onProcess(identityOf(pid));
    // A shell that is already gone says so with its exit code.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(`go\n${options.input ?? ""}`);
    const stoppedBy = await raceWithBounds(exited, options);
    if (stoppedBy !== null) await endGroup(pid);
    const exitCode = await exited;
    return {
      exitCode,
      stoppedBy: stoppedBy ?? (exitCode === null ? "signal" : null),
      durationMs: durationMs(),
      output: await readEnds(output, redact),
    };
  } finally {
    await output.close();
  }
}

/** Ends a command that somebody else has left running, with all that it started. */
export async function endCommand(leader: ProcessIdentity): Promise<void> {
  if (isAlive(leader)) await endGroup(leader.pid);
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.once("error", () => resolve(null));
  });
}

/** Why there is no process, for example because its directory is gone; nothing when there is one. */
async function startProblemOf(child: ChildProcess): Promise<string> {
  if (child.pid !== undefined) return "";
  return await new Promise((resolve) => child.once("error", (error) => resolve(error.message)));
}

async function raceWithBounds(
  exited: Promise<unknown>,
  { timeoutMs, signal }: CommandOptions,
): Promise<"timeout" | "interrupt" | null> {
  const settled = new AbortController();
  const bound = AbortSignal.any([settled.signal, signal]);
  try {
    return await Promise.race([
      exited.then(() => null),
      sleep(timeoutMs, "timeout" as const, { signal: bound }).catch(() => "interrupt" as const),
    ]);
  } finally {
    settled.abort();
  }
}

async function endGroup(pid: number): Promise<void> {
  signalGroup(pid, "SIGTERM");
  const deadline = performance.now() + END_GRACE_MS;
  while (signalGroup(pid, 0) && performance.now() < deadline) await sleep(POLL_MS);
  signalGroup(pid, "SIGKILL");
}

/** Answers whether the group still had a member. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

async function readEnds(file: FileHandle, redact: Redact): Promise<string> {
  const { size } = await file.stat();
  const read = async (position: number, length: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead).toString("utf8");
  };
  if (size <= OUTPUT_BYTES_MAX + 2 * SECRET_BYTES_MAX) return redact(await read(0, size));
  const half = OUTPUT_BYTES_MAX / 2;
  const piece = half + SECRET_BYTES_MAX;
  // What stands at a cut is left out: it could be the half of a secret.
  const first = redact(await read(0, piece)).slice(0, -SECRET_BYTES_MAX);
  const last = redact(await read(size - piece, piece)).slice(SECRET_BYTES_MAX);
  return `${first}\n[… ${size - OUTPUT_BYTES_MAX} bytes left out …]\n${last}`;
}
