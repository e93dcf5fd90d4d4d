import { access } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../../services/runtime/clock.ts";
import type { Environment } from "../../../services/runtime/env.ts";
import { isErrorCode, writeDurably } from "../files/durable-file.ts";
import { identityOf, isAlive } from "../files/process-identity.ts";
import { LockedError, type LockHolder } from "../files/process-lock.ts";
import type { StateFiles } from "../files/state-files.ts";
import { verifyRollback } from "../judge/verify-position.ts";
import { findJournal, type Journal } from "../state/journal.ts";
import type { RolloutPlan } from "../state/rollout-plan.ts";
import { openSession, type Session } from "../state/rollout-session.ts";
import { assumeBegun, CHANGES, type Position } from "../state/rollout-state.ts";
import { type Check, overall } from "../terms/verdict.ts";
import type { TimerReport } from "./dead-man-timer.ts";
import { notify } from "./notify.ts";
import { takeBack } from "./take-back.ts";

export type DeadManOptions = {
  files: StateFiles;
  token: string;
  environment: Environment;
  plan: RolloutPlan;
  clock: Clock;
  report(line: string): void;
};

/** Short enough that nobody waits long for the timer to end, long enough to cost nothing. */
const POLL_MS = 500;
/** Time for a last-moment confirmation to finish writing. */
const LAST_WORD_MS = 3_000;
/** No operator watches, so a failed command is tried again. */
const ATTEMPTS = 3;
/** Pause between attempts to open the session; they never stop, since nothing else rolls back. */
const RETRY_PAUSE_MS = 2_000;

/**
 * Watches the journal until this timer is disarmed or expires. On expiry it rolls back an
 * unconfirmed stage, or completes a rollback that was cut short.
 */
export async function watchDeadMan(options: DeadManOptions): Promise<void> {
  const { files, token, clock } = options;
  const tell = (status: TimerReport["status"], detail = "") => {
    const at = new Date(clock.nowMs()).toISOString();
    const report: TimerReport = { token, process: identityOf(process.pid), status, at, detail };
    options.report(`${at} ${status} ${detail}`);
    return writeDurably(files.timer, JSON.stringify(report));
  };
  // A full disk must not stop the rollback.
  const tellIfPossible = async (status: TimerReport["status"], detail?: string) => {
    await tell(status, detail).catch((error: unknown) => options.report(String(error)));
  };
  await tell("armed");
  const lastKnown = await waitForExpiry(options);
  if (lastKnown === undefined) return await tellIfPossible("disarmed");

  const session = await takeOver(options, lastKnown);
  try {
    const goal = goalOf(session.journal(), token);
    if (goal === undefined) {
      // Nothing began after the timer was armed, so there is nothing to roll back.
      if (session.journal().timer?.token === token) await session.write({ timer: null });
      return await tellIfPossible("disarmed");
    }
    await tellIfPossible("rolling-back", `to ${goal.to}`);
    await session.record("timer-fired", goal);
    const { changes, failed } = await takeBack(session, {
      ...goal,
      by: "timer",
      attempts: ATTEMPTS,
      signal: new AbortController().signal,
    });
    if (failed === undefined) await tellIfPossible("rolled-back", `to ${goal.to}`);
    else await tellIfPossible("failed", `the rollback command of ${failed} failed`);
    const checks = failed === undefined ? await compare(options, session, goal.to) : [];
    if (checks.length > 0) {
      await tellIfPossible(
        "rolled-back",
        `to ${goal.to}, compared with before: ${overall(checks)}`,
      );
    }
    await notify(session, { ...goal, by: "timer", takenBack: changes, failed, checks });
  } finally {
    await session.close();
  }
}

/**
 * Compares the deployment with the state before, as after any rollback. A failure to compare is
 * only reported: the rollback is already done.
 */
async function compare(
  { plan, environment, report }: DeadManOptions,
  session: Session,
  to: Position,
): Promise<readonly Check[]> {
  try {
    return await verifyRollback({ session, config: plan.source, environment }, to);
  } catch (error) {
    report(`could not compare what was taken back: ${String(error)}`);
    return [];
  }
}

/** Returns the last readable journal once the timer expires; undefined if it was disarmed first. */
async function waitForExpiry(options: DeadManOptions): Promise<Journal | undefined> {
  const { files, token, clock, report } = options;
  let lastKnown: Journal | undefined;
  let lastProblem = "";
  let known = { deadlineAtMs: Number.POSITIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };
  for (;;) {
    // The file is replaced as a whole, so each read sees one complete journal.
    const journal = await findJournal(files.journal).catch((error: unknown) => {
      // Report a problem once: repeating it at every poll would fill the disk.
      if (String(error) !== lastProblem) report(String(error));
      lastProblem = String(error);
    });
    if (journal && journal.timer?.token !== token) return undefined;
    // A missing directory means that the rollout was removed; a missing journal alone is damage.
    if (!journal && !(await isThere(files.directory))) return undefined;
    if (journal?.timer && journal.timer.deadlineAtMs !== known.deadlineAtMs) {
      const { deadlineAtMs } = journal.timer;
      known = { deadlineAtMs, endMs: performance.now() + deadlineAtMs - clock.nowMs() };
    }
    lastKnown = journal ?? lastKnown;
    // Either clock suffices: setting one back must not give a bad change more time.
    const isOver = clock.nowMs() >= known.deadlineAtMs || performance.now() >= known.endMs;
    if (isOver && lastKnown !== undefined) return lastKnown;
    await sleep(POLL_MS);
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    (error: unknown) => !isErrorCode(error, "ENOENT"),
  );
}

/**
 * Takes the session lock. A last-moment confirmation or a running rollback gets time to finish; a
 * holder that keeps the lock longer is killed. If the lock or the journal is unusable, the timer
 * goes on without the lock or with the last known journal.
 */
async function takeOver(options: DeadManOptions, lastKnown: Journal): Promise<Session> {
  const { report } = options;
  const { commandSeconds } = options.plan;
  const { state } = lastKnown;
  const isGoingBack = state.activity.kind === "rolling-back";
  const patienceMs = isGoingBack ? CHANGES.length * commandSeconds * 1_000 : 0;
  for (;;) {
    try {
      return await openSession({
        ...options,
        purpose: "dead-man timer",
        waitMs: LAST_WORD_MS + patienceMs,
        withoutRecord: "carry-on",
        lastKnown: { ...lastKnown, state: assumeBegun(lastKnown.state) },
      });
    } catch (error) {
      report(String(error));
      if (error instanceof LockedError) endHolder(error.holder, report);
      else await sleep(RETRY_PAUSE_MS);
    }
  }
}

function endHolder({ process: holder }: LockHolder, report: (line: string) => void): void {
  try {
    if (isAlive(holder)) process.kill(holder.pid, "SIGKILL");
  } catch (error) {
    // The holder has ended, or belongs to another user; the next attempt waits for it again.
    report(String(error));
  }
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
