import { notify } from "../dead-man/notify.ts";
import { takeBack } from "../dead-man/take-back.ts";
import type { StateFiles } from "../files/state-files.ts";
import { type VerifyContext, verifyRollback, verifyStage } from "../judge/verify-position.ts";
import type { RolloutConfig } from "../settings/rollout-config.ts";
import type { Journal } from "../state/journal.ts";
import type { Session } from "../state/rollout-session.ts";
import {
  awaitConfirmation,
  beginChange,
  beginVerifying,
  type Change,
  changesOf,
  type Stage,
} from "../state/rollout-state.ts";
import { type Check, overall } from "../terms/verdict.ts";
import { commandsOf } from "./change-commands.ts";
import { beginNextStage } from "./stage-begin.ts";

/** The outcome of a stage. */
export type StageOutcome =
  /** It waits for the operator, at most until the timer's deadline if there is a timer. */
  | { kind: "awaiting"; stage: Stage; checks: readonly Check[]; deadlineAtMs: number | undefined }
  /** It failed, and its changes were taken back at once. */
  | {
      kind: "rolled-back";
      stage: Stage;
      checks: readonly Check[];
      reason: string;
      /** Checks that compare the deployment with its state before the stage. */
      restored: readonly Check[];
    }
  /** It failed, and taking it back failed too; the timer will try again. */
  | { kind: "stuck"; stage: Stage; checks: readonly Check[]; reason: string };

/** Applies and verifies the next stage. It arms the dead-man timer before it changes anything. */
export async function runNextStage(
  context: VerifyContext & { files: StateFiles },
  named: Stage | undefined,
): Promise<StageOutcome> {
  const { session } = context;
  const stage = await beginNextStage(context, named);
  const changes = changesOf(stage);
  for (const change of changes) {
    const problem = await apply(context, change);
    if (problem !== undefined) return await giveUp(context, stage, [], problem);
  }
  await session.step(beginVerifying(session.journal().state), changedNow(session, changes));
  const checks = await verifyStage(context, stage);
  const verdict = overall(checks);
  if (context.signal.aborted) return await giveUp(context, stage, checks, "interrupted");
  if (verdict === "fail") return await giveUp(context, stage, checks, failureText(checks));
  const timer = await extendTimer(session, context.config);
  await session.step(awaitConfirmation(session.journal().state, verdict), { timer });
  return { kind: "awaiting", stage, checks, deadlineAtMs: timer?.deadlineAtMs };
}

/** Applies one change; returns the problem if the command failed. */
async function apply(
  { session, config, signal }: VerifyContext,
  change: Change,
): Promise<string | undefined> {
  const { apply: command } = commandsOf(config, change);
  // Write the journal first, so that a crash cannot hide the change.
  const next = beginChange(session.journal().state, change);
  await session.step(next, changedNow(session, [change]));
  session.report(`applies ${change}`);
  const { exitCode, stoppedBy, output } = await session.run({
    purpose: `apply of ${change}`,
    command,
    timeoutMs: config.commandSeconds * 1_000,
    signal,
  });
  if (exitCode === 0) return undefined;
  session.report(output.trimEnd());
  return `the command that applies ${change} failed (${stoppedBy ?? `exit ${exitCode}`})`;
}

/** Rolls back a stage that failed or was interrupted, and notifies the operator. */
async function giveUp(
  context: VerifyContext,
  stage: Stage,
  checks: readonly Check[],
  reason: string,
): Promise<StageOutcome> {
  const { session } = context;
  session.report(`stage ${stage} failed: ${reason}`);
  const goal = { to: session.journal().state.position, by: "verification", reason } as const;
  const { changes, failed } = await takeBack(session, {
    ...goal,
    attempts: 1,
    // An interrupt ends the stage, but must not end the rollback.
    signal: new AbortController().signal,
  });
  const restored = failed === undefined ? await verifyRollback(context, goal.to) : [];
  await notify(session, { ...goal, takenBack: changes, failed, checks: restored });
  if (failed !== undefined) return { kind: "stuck", stage, checks, reason };
  return { kind: "rolled-back", stage, checks, reason, restored };
}

/** Restarts the deadline: the operator has the full time to decide, however long applying took. */
async function extendTimer(session: Session, config: RolloutConfig) {
  const { timer } = session.journal();
  if (timer === null) return null;
  const deadlineAtMs = session.nowMs() + config.deadManSeconds * 1_000;
  await session.record("timer-extended", { deadlineAt: new Date(deadlineAtMs) });
  return { ...timer, deadlineAtMs };
}

function changedNow(session: Session, changes: readonly Change[]): Pick<Journal, "changedAt"> {
  if (changes.length === 0) return { changedAt: session.journal().changedAt };
  return { changedAt: new Date(session.nowMs()).toISOString() };
}

function failureText(checks: readonly Check[]): string {
  const failed = checks.filter(({ verdict }) => verdict === "fail");
  return failed.map(({ id, observed }) => `${id}: ${observed}`).join("; ");
}
