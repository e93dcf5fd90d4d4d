import { readFileSync } from "node:fs";
import * as z from "zod";

/** One process. The start time tells it from a later process with the same id. */
export type ProcessIdentity = { pid: number; startedAt: string };

/** Ending a process ends its group, and group 1 is every process. */
const PID_MIN = 2;

/** A process that a state file names, and that may be ended. */
export const processIdentitySchema: z.ZodType<ProcessIdentity> = z.object({
  pid: z.int().min(PID_MIN),
  startedAt: z.string(),
});

/** On systems without /proc the id alone identifies a process. */
const UNKNOWN_START = "unknown";
/** Fields of /proc/PID/stat behind the name, which itself may hold spaces and parentheses. */
const STATE_FIELD = 0;
const START_FIELD = 19;

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startedAt: readStat(pid)?.startedAt ?? UNKNOWN_START };
}

/** Whether that very process still runs; one that has ended and waits to be collected does not. */
export function isAlive({ pid, startedAt }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM means that it lives and belongs to another user.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const stat = readStat(pid);
  if (stat === undefined) return true;
  return stat.state !== "Z" && (startedAt === UNKNOWN_START || stat.startedAt === startedAt);
}

function readStat(pid: number): { state: string; startedAt: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[STATE_FIELD] ?? "", startedAt: fields[START_FIELD] ?? UNKNOWN_START };
  } catch {
    return undefined;
  }
}
