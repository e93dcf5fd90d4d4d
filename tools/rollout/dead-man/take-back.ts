import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "../state/rollout-plan.ts";
import type { Session } from "../state/rollout-session.ts";
import {
  beginRollback,
  type Change,
  finishRevert,
  finishRollback,
  type Position,
  type RollbackBy,
  revertsTo,
} from "../state/rollout-state.ts";
import { endCommand } from "../state/run-command.ts";

export type TakeBackOptions = {
  to: Position;
  by: RollbackBy;
  reason: string;
  /** How often each command is tried: more than once if no operator watches. */
  attempts: number;
  signal: AbortSignal;
};

/** The changes taken back, and the change whose command failed, if one did. */
export type TakenBack = { changes: readonly Change[]; failed: Change | undefined };

/** Lets an outage of a few seconds pass. */
const RETRY_PAUSE_MS = 2_000;
const UNKNOWN_COMMAND = "echo 'no rollback command is known' >&2; exit 1";

/**
 * Rolls back to a position, the last change first. Stops at the first command that fails, since a
 * later change may depend on an earlier one. A second call continues.
 */
export async function takeBack(session: Session, options: TakeBackOptions): Promise<TakenBack> {
  const { to, by, reason } = options;
  await session.step(beginRollback(session.journal().state, { to, by, reason }));
  const planned = revertsTo(session.journal().state, to);
  await session.record("rollback-begun", { to, by, reason, changes: planned });
  await endLeftover(session);
  const changes: Change[] = [];
  for (const change of planned) {
    if (!(await revert(session, change, options))) {
      await session.record("rollback-failed", { to, by, change });
      return { changes, failed: change };
    }
    await session.step(finishRevert(session.journal().state, change));
    changes.push(change);
  }
  const changedAt =
    changes.length > 0 ? new Date(session.nowMs()).toISOString() : session.journal().changedAt;
  await session.step(finishRollback(session.journal().state), { timer: null, changedAt });
  await session.record("rollback-ended", { to, by, changes });
  return { changes, failed: undefined };
}

/** Ends a command that survived its crashed parent: it may still be changing things. */
async function endLeftover(session: Session): Promise<void> {
  const { running } = session.journal();
  if (running === null) return;
  await endCommand(running);
  await session.record("command-stopped", { pid: running.pid, reason: "left running by a crash" });
  await session.write({ running: null });
}

async function revert(
  session: Session,
  change: Change,
  options: TakeBackOptions,
): Promise<boolean> {
  const { rollbacks, commandSeconds } = session.plan;
  const command = rollbacks[change] ?? UNKNOWN_COMMAND;
  const noted = session.journal().rollbackCommands[change];
  if (noted !== undefined && noted !== digestOf(command)) {
    session.report(`the rollback of ${change} was written anew since the stage began`);
  }
  for (let attempt = 1; attempt <= options.attempts; attempt += 1) {
    session.report(`takes back ${change}`);
    const { exitCode, stoppedBy, output } = await session.run({
      purpose: `rollback of ${change}`,
      command,
      timeoutMs: commandSeconds * 1_000,
      signal: options.signal,
    });
    if (exitCode === 0) return true;
    session.report(`rollback of ${change} failed (${stoppedBy ?? `exit ${exitCode}`}): ${output}`);
    if (attempt < options.attempts) await sleep(RETRY_PAUSE_MS);
  }
  return false;
}
