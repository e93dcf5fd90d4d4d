import { execFile } from "node:child_process";
import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Returns the ids of all processes that serve a data directory, including those that a killed
 * postmaster left behind. Each has the directory as its working directory.
 */
export async function findPostgresProcesses(dataDirectory: string): Promise<number[]> {
  const directory = await realpath(dataDirectory);
  return process.platform === "linux" ? findInProc(directory) : findWithLsof(directory);
}

async function findInProc(directory: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const serving = await Promise.all(
    pids.map(async (pid) => {
      // Skips processes of other users, and those that end during the search.
      const folder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
      if (folder !== directory) return false;
      return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim() === "postgres";
    }),
  );
  return pids.filter((_pid, index) => serving[index]);
}

async function findWithLsof(directory: string): Promise<number[]> {
  // lsof exits with 1 if nothing matches.
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

/** Returns the postmaster that a data directory names; it may be dead. */
export async function readPostmasterPid(dataDirectory: string): Promise<number | undefined> {
  const text = await readFile(join(dataDirectory, "postmaster.pid"), "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) ? undefined : pid;
}

/** Sends a signal to a process, unless it has ended. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
