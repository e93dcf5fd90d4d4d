import { readFileSync } from "node:fs";

/** A clock tick of Linux, in which it counts the time of processes. */
const TICK_MS = 10;

/** The CPU time that a process has used, user and system, in milliseconds; only Linux tells. */
export function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return Number.NaN;
  }
}
