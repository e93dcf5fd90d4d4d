import { readFileSync } from "node:fs";

/** The clock tick in which Linux counts the time of processes. */
const TICK_MS = 10;

/** Returns the user and system CPU time of a process in milliseconds; Linux only. */
export function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return Number.NaN;
  }
}
