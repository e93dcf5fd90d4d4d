import { readdir, readFile, readlink } from "node:fs/promises";

/** The kernel's figures of a process. */
export type ProcessFigures = { rssBytes: number; sockets: number };

/** Returns undefined after the process has exited. */
export async function readProcess(pid: number): Promise<ProcessFigures | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
    // A zombie process has no memory.
    if (kilobytes === undefined) return undefined;
    return { rssBytes: Number(kilobytes) * 1_024, sockets: await countSockets(pid) };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function countSockets(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    // A descriptor may close during the search.
    (await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => "")),
  );
  return links.filter((link) => link.startsWith("socket:")).length;
}

function isGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ESRCH";
}
