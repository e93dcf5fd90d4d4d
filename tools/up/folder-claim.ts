import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { openTrusted } from "../trust/trusted-file.ts";

/** A claim on a folder, held while this process lives. */
export type FolderClaim = { release(): Promise<void> };

/**
 * Claims a folder for this process, so that two processes never use the same database. Rejects if
 * another process of the same program holds the claim; takes over the claim of a dead one.
 */
export async function claimFolder(folder: string, program: string): Promise<FolderClaim> {
  const file = join(folder, "up.pid");
  try {
    await writeClaim(file);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    const holder = await readClaim(file);
    if (await isRunning(holder, program)) {
      throw new Error(`${folder} is in use by process ${holder}; stop that one first`);
    }
    await rm(file, { force: true });
    await writeClaim(file);
  }
  return { release: async () => await rm(file, { force: true }) };
}

/** Creates the file only if nothing is at the path, not even a link. */
async function writeClaim(file: string): Promise<void> {
  const handle = await openTrusted(file, "new");
  try {
    await handle.writeFile(`${process.pid}\n`);
  } finally {
    await handle.close();
  }
}

async function readClaim(file: string): Promise<number> {
  const handle = await openTrusted(file, "read");
  try {
    return Number.parseInt(await handle.readFile("utf8"), 10);
  } finally {
    await handle.close();
  }
}

/** Process ids are reused: a living process holds the claim only if it runs the same program. */
async function isRunning(pid: number, program: string): Promise<boolean> {
  if (Number.isNaN(pid) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
  }
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => program);
  return command.includes(program);
}
