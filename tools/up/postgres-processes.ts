import { execFile } from "node:child_process";
import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * The ids of all processes that serve a data directory: each has it as its working directory, also
 * those that a killed postmaster left behind.
 */
export async function findPostgresProcesses(dataDirectory: string): Promise<number[]> {
  const directory = await realpath(dataDirectory);
  return process.platform === "linux" ? findInProc(directory) : findWithLsof(directory);
}

async function findInProc(directory: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const serving = await Promise.all(
    pids.map(async (pid) => {
      // Processes of others cannot be looked at, and some end while we look.
      const folder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
      if (folder !== directory) return false;
      return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim() === "postgres";
    }),
  );
  return pids.filter((_pid, index) => serving[index]);
}

async function findWithLsof(directory: string): Promise<number[]> {
  // It exits with 1 when nothing matches.
  const listing = await run("lsof", ["-a", "-c", "postgres", "-d", "cwd", "-F", "pn"]).catch(
    () => ({ stdout: "" }),
  );
  const pids: number[] = [];
  let pid = 0;
  for (const line of listing.stdout.split("\n")) {
    if (line.startsWith("p")) pid = Number(line.slice(1));
    if (line === `n${directory}`) pids.push(pid);
  }
  return pids;
}

/** The postmaster that a data directory names; it need not be alive. */
export async function readPostmasterPid(dataDirectory: string): Promise<number | undefined> {
  const text = await readFile(join(dataDirectory, "postmaster.pid"), "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) ? undefined : pid;
}

/** Sends a signal to a process that may have ended by now. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
