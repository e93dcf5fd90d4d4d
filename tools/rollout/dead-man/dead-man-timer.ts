import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { decodeJson } from "../../../services/runtime/documents/decode-json.ts";
import type { Environment } from "../../../services/runtime/env.ts";
import { openTrusted } from "../../trust/trusted-file.ts";
import { readIfThere } from "../files/durable-file.ts";
import { isAlive, type ProcessIdentity, processIdentitySchema } from "../files/process-identity.ts";
import type { StateFiles } from "../files/state-files.ts";
import type { ArmedTimer } from "../state/journal.ts";
import type { RolloutPlan } from "../state/rollout-plan.ts";
import { instantTextSchema } from "../terms/instant.ts";

/** What the timer's process says of itself, in a file that only it writes. */
export type TimerReport = {
  token: string;
  process: ProcessIdentity;
  status: (typeof STATUSES)[number];
  at: string;
  detail: string;
};

const STATUSES = ["armed", "disarmed", "rolling-back", "rolled-back", "failed"] as const;

const timerReportSchema: z.ZodType<TimerReport> = z.object({
  token: z.string(),
  process: processIdentitySchema,
  status: z.enum(STATUSES),
  at: instantTextSchema,
  detail: z.string(),
});

/** The content of the timer's file. Nobody stops for a damaged one: the next timer replaces it. */
export type TimerReading =
  | { kind: "none" }
  | { kind: "report"; report: TimerReport }
  | { kind: "damaged"; problem: string };

/** A process that has not begun by then has not begun at all. */
const BEGIN_TIMEOUT_MS = 10_000;
/** The timer looks at the journal twice a second. */
const END_TIMEOUT_MS = 5_000;
const POLL_MS = 25;

export function createTimer(nowMs: number, seconds: number): ArmedTimer {
  return { token: randomUUID(), deadlineAtMs: nowMs + seconds * 1_000 };
}

/**
 * Starts the process that rolls back by itself, and returns when it says that it watches. The
 * journal must name the timer already: a timer that the journal does not name ends at once.
 */
export async function startTimer(
  files: StateFiles,
  { token }: ArmedTimer,
  plan: RolloutPlan,
  environment: Environment,
): Promise<ProcessIdentity> {
  const program = fileURLToPath(new URL("./dead-man-main.js", import.meta.url));
  const log = await openTrusted(files.timerLog, "append");
  try {
    const child = spawn(process.execPath, [program, files.directory, token], {
      cwd: "/",
      env: environment,
      stdio: ["pipe", log.fd, log.fd],
      // A session of its own: it outlives this process, its terminal and its signals.
      detached: true,
    });
    // The plan goes through a pipe: in a file, others could read or change it.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(JSON.stringify(plan));
    child.unref();
    return await waitUntilArmed(files, token, child);
  } finally {
    await log.close();
  }
}

/** Waits until the timer's process has noticed that it is not needed any more. */
export async function waitUntilEnded(files: StateFiles, token: string): Promise<boolean> {
  const deadline = performance.now() + END_TIMEOUT_MS;
  for (;;) {
    const reading = await readTimer(files);
    // A file that cannot be read may be that timer's.
    const mayWatch = reading.kind === "damaged" || isLiving(reading, token);
    if (!mayWatch) return true;
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
}

/** Whether the process of a timer is known to live and watch. */
export async function isWatching(files: StateFiles, { token }: ArmedTimer): Promise<boolean> {
  return isLiving(await readTimer(files), token);
}

export async function readTimer(files: StateFiles): Promise<TimerReading> {
  const text = await readIfThere(files.timer);
  if (text === undefined) return { kind: "none" };
  const report = decodeJson(text, timerReportSchema);
  if (report !== undefined) return { kind: "report", report };
  const problem = `${files.timer} cannot be read, so nobody knows whether the dead-man timer watches; see "A timer's file that cannot be read" in RUNBOOK.md`;
  return { kind: "damaged", problem };
}

function isLiving(reading: TimerReading, token: string): boolean {
  if (reading.kind !== "report") return false;
  return reading.report.token === token && isAlive(reading.report.process);
}

async function waitUntilArmed(
  files: StateFiles,
  token: string,
  child: ChildProcess,
): Promise<ProcessIdentity> {
  const deadline = performance.now() + BEGIN_TIMEOUT_MS;
  for (;;) {
    const reading = await readTimer(files);
    if (reading.kind === "report") {
      const { report } = reading;
      if (report.token === token && report.status === "armed") return report.process;
    }
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
      throw new Error(`the dead-man timer did not start; see ${files.timerLog}`);
    }
    await sleep(POLL_MS);
  }
}
