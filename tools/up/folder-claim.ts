import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Marks a folder as ours while this process lives. */
export type FolderClaim = { release(): Promise<void> };

/**
 * Claims a folder for this process, so that two of them never work on the same database. Rejects
 * when another process of the same program holds it; a claim left by a dead one is taken over.
 */
export async function claimFolder(folder: string, program: string): Promise<FolderClaim> {
  const file = join(folder, "up.pid");
  try {
    await writeFile(file, `${process.pid}\n`, { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    const holder = Number.parseInt(await readFile(file, "utf8"), 10);
    if (await isRunning(holder, program)) {
      throw new Error(`${folder} is in use by process ${holder}; stop that one first`);
    }
    await writeFile(file, `${process.pid}\n`);
  }
  return { release: async () => await rm(file, { force: true }) };
}

/** Process ids are used again, so a living process counts only when it runs the same program. */
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
