import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../services/runtime/clock.ts";
import type { Environment } from "../../services/runtime/env.ts";
import type { TimerReport } from "./dead-man-timer.ts";
import { writeDurably } from "./durable-file.ts";
import { type Journal, readJournal } from "./journal.ts";
import { identityOf, isAlive } from "./process-identity.ts";
import { findHolder, LockedError, type LockHolder } from "./process-lock.ts";
import { openSession, type Session } from "./rollout-session.ts";
import { CHANGES, type Position } from "./rollout-state.ts";
import type { StateFiles } from "./state-files.ts";
import { takeBack } from "./take-back.ts";

export type DeadManOptions = {
  files: StateFiles;
  token: string;
  environment: Environment;
  clock: Clock;
  report(line: string): void;
};

/** Often enough that nobody waits for the timer to end, rarely enough to cost nothing. */
const POLL_MS = 500;
/** What a confirmation at the last moment needs to be written down. */
const LAST_WORD_MS = 3_000;
/** Nobody watches, so a command that fails is tried again. */
const ATTEMPTS = 3;

/**
 * Watches the journal until this timer is disarmed or its time has come, and then rolls back: an
 * unconfirmed stage to where it began, a rollback cut short to where it was going.
 */
export async function watchDeadMan(options: DeadManOptions): Promise<void> {
  const { files, token, clock } = options;
  const tell = (status: TimerReport["status"], detail = "") => {
    const at = new Date(clock.nowMs()).toISOString();
    const report: TimerReport = { token, process: identityOf(process.pid), status, at, detail };
    options.report(`${at} ${status} ${detail}`);
    return writeDurably(files.timer, JSON.stringify(report));
  };
  await tell("armed");
  if (!(await waitForExpiry(options))) return await tell("disarmed");

  const session = await takeOver(options);
  try {
    const goal = goalOf(session.journal(), token);
    if (goal === undefined) {
      // A program that died between arming and acting has left nothing to take back.
      if (session.journal().timer?.token === token) await session.write({ timer: null });
      return await tell("disarmed");
    }
    // A full disk must not keep it from rolling back.
    await tell("rolling-back", `to ${goal.to}`).catch((error) => options.report(String(error)));
    await session.record("timer-fired", goal);
    const { failed } = await takeBack(session, {
      ...goal,
      by: "timer",
      commandOf: () => undefined,
      attempts: ATTEMPTS,
      signal: new AbortController().signal,
    });
    if (failed === undefined) await tell("rolled-back", `to ${goal.to}`);
    else await tell("failed", `the rollback command of ${failed} failed`);
  } finally {
    await session.close();
  }
}

/** Answers whether the time has come; false when the timer was disarmed before. */
async function waitForExpiry(options: DeadManOptions): Promise<boolean> {
  const { files, token, clock, report } = options;
  let known = { deadlineAtMs: Number.POSITIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };
  for (;;) {
    // Replaced as a whole, so every reading is one of a moment.
    const journal = await readJournal(files.journal).catch((error) => report(String(error)));
    if (journal && journal.timer?.token !== token) return false;
    if (journal?.timer && journal.timer.deadlineAtMs !== known.deadlineAtMs) {
      const { deadlineAtMs } = journal.timer;
      known = { deadlineAtMs, endMs: performance.now() + deadlineAtMs - clock.nowMs() };
    }
    // By either clock: one that is set back must not give a bad change more time.
    if (clock.nowMs() >= known.deadlineAtMs || performance.now() >= known.endMs) return true;
    await sleep(POLL_MS);
  }
}

/**
 * Takes the right to change things. Whoever confirms at the last moment may finish, and so may a
 * rollback that makes progress; any other holder has had its time, and is ended.
 */
async function takeOver(options: DeadManOptions): Promise<Session> {
  const { files, report } = options;
  const { state, commandSeconds } = await readJournal(files.journal);
  const isGoingBack = state.activity.kind === "rolling-back";
  const patienceMs = isGoingBack ? CHANGES.length * commandSeconds * 1_000 : 0;
  for (;;) {
    try {
      return await openSession({
        ...options,
        purpose: "dead-man timer",
        waitMs: LAST_WORD_MS + patienceMs,
        withoutRecord: "carry-on",
      });
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      report(error.message);
      await endHolder(await findHolder(files.lock));
    }
  }
}

async function endHolder(holder: LockHolder | undefined): Promise<void> {
  if (holder !== undefined && isAlive(holder.process)) process.kill(holder.process.pid, "SIGKILL");
}

function goalOf(
  { state, timer }: Journal,
  token: string,
): { to: Position; reason: string } | undefined {
  if (timer?.token !== token || state.activity.kind === "settled") return undefined;
  if (state.activity.kind === "rolling-back") {
    return { to: state.activity.to, reason: "a rollback was cut short" };
  }
  return { to: state.position, reason: `nobody confirmed stage ${state.activity.stage} in time` };
}
