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

/** What the timer process reports about itself, in a file that only it writes. */
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

/** The content of the timer file. A damaged file is not fatal: each timer writes it anew. */
export type TimerReading =
  | { kind: "none" }
  | { kind: "report"; report: TimerReport }
  | { kind: "damaged"; problem: string };

/** A timer process that has not reported by then counts as not started. */
const BEGIN_TIMEOUT_MS = 10_000;
/** Ample, since the timer reads the journal twice a second. */
const END_TIMEOUT_MS = 5_000;
const POLL_MS = 25;

export function createTimer(nowMs: number, seconds: number): ArmedTimer {
  return { token: randomUUID(), deadlineAtMs: nowMs + seconds * 1_000 };
}

/**
 * Starts the timer process, and returns its identity once it reports that it is armed. The journal
 * must already name the timer: a timer that it does not name ends at once. Throws if the process
 * does not start in time.
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
      // A session of its own: the timer outlives this process, its terminal and its signals.
      detached: true,
    });
    // The plan goes over stdin: other users could read or change a file.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(JSON.stringify(plan));
    child.unref();
    return await waitUntilArmed(files, token, child);
  } finally {
    await log.close();
  }
}

/** Waits until the timer process has ended; returns false if it still runs after END_TIMEOUT_MS. */
export async function waitUntilEnded(files: StateFiles, token: string): Promise<boolean> {
  const deadline = performance.now() + END_TIMEOUT_MS;
  for (;;) {
    const reading = await readTimer(files);
    // An unreadable file may belong to that timer.
    const mayWatch = reading.kind === "damaged" || isLiving(reading, token);
    if (!mayWatch) return true;
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
}

/** Whether the timer's process is known to be alive. */
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
