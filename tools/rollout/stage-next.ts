import { createTimer, isWatching, startTimer } from "./dead-man-timer.ts";
import type { ChangeCommands, RolloutConfig } from "./rollout-config.ts";
import { digestOf } from "./rollout-plan.ts";
import { RefusedError, type Session } from "./rollout-session.ts";
import {
  awaitConfirmation,
  beginChange,
  beginStage,
  beginVerifying,
  type Change,
  changesOf,
  type RolloutState,
  revertsTo,
  type Stage,
  stageAfter,
} from "./rollout-state.ts";
import type { StateFiles } from "./state-files.ts";
import { takeBack } from "./take-back.ts";
import { type Check, overall } from "./verdict.ts";
import { snapshot, type VerifyContext, verifyStage } from "./verify-position.ts";

/** What came of a stage. */
export type StageOutcome =
  /** It waits for the operator, until the timer's deadline if there is one. */
  | { kind: "awaiting"; stage: Stage; checks: readonly Check[]; deadlineAtMs: number | undefined }
  /** It failed, and was taken back at once. */
  | { kind: "rolled-back"; stage: Stage; checks: readonly Check[]; reason: string }
  /** It failed, and taking it back failed too; the timer will try again. */
  | { kind: "stuck"; stage: Stage; checks: readonly Check[]; reason: string };

/** The commands of one change. */
export function commandsOf(config: RolloutConfig, change: Change): ChangeCommands {
  const { proxy, api, gateway } = config.stages;
  return { proxy, limiter: api.limiter, auth: api.auth, gateway }[change];
}

/**
 * Applies the next stage and looks at it. The timer that takes it back by itself is armed before
 * anything changes.
 */
export async function runNextStage(
  context: VerifyContext & { files: StateFiles },
  named: Stage | undefined,
): Promise<StageOutcome> {
  const { session } = context;
  const stage = await begin(context, named);
  const changes = changesOf(stage);
  for (const change of changes) {
    const problem = await apply(context, change);
    if (problem !== undefined) return await giveUp(context, stage, [], problem);
  }
  await session.step(beginVerifying(session.journal().state));
  const checks = await verifyStage(context, stage);
  const verdict = overall(checks);
  if (context.signal.aborted) return await giveUp(context, stage, checks, "interrupted");
  if (verdict === "fail") return await giveUp(context, stage, checks, failureText(checks));
  const timer = await extendTimer(session, context.config);
  await session.step(awaitConfirmation(session.journal().state, verdict), { timer });
  return { kind: "awaiting", stage, checks, deadlineAtMs: timer?.deadlineAtMs };
}

async function begin(
  { session, config, environment, files }: VerifyContext & { files: StateFiles },
  named: Stage | undefined,
): Promise<Stage> {
  await forgetUnbegun(session, files);
  const before = session.journal();
  const transition = beginStage(before.state, named);
  if (transition.kind === "refused") throw new RefusedError(transition.reason);
  const stage = getNextStage(before.state);
  const isChange = changesOf(stage).length > 0;
  const services = config.stages[stage].judges.includes("identity")
    ? await snapshot({ session, config, environment })
    : undefined;
  const rollbacks = changesOf(stage).map((change) => {
    return [change, digestOf(commandsOf(config, change).rollback)];
  });
  const timer = isChange ? createTimer(session.nowMs(), config.deadManSeconds) : null;
  // First of all, so that nothing begins that cannot be recorded.
  await session.record("stage-begun", { stage, from: before.state.position, timer });
  await session.step(transition, {
    timer,
    leftBaselineAt:
      before.state.position === "baseline"
        ? new Date(session.nowMs()).toISOString()
        : before.leftBaselineAt,
    // How to undo what may begin from now on.
    rollbackCommands: { ...before.rollbackCommands, ...Object.fromEntries(rollbacks) },
    snapshots: services
      ? { ...before.snapshots, [before.state.position]: services }
      : before.snapshots,
  });
  if (timer === null) return stage;
  try {
    const { pid } = await startTimer(files, timer, session.plan, environment);
    await session.record("timer-armed", { pid, deadlineAt: new Date(timer.deadlineAtMs) });
    session.report(`dead-man timer armed: ${config.deadManSeconds} s, process ${pid}`);
  } catch (error) {
    // Nothing has changed, so nothing needs to be taken back.
    await session.write({ state: before.state, timer: null });
    throw error;
  }
  return stage;
}

/**
 * A program that died between writing a stage down and arming its timer has changed nothing, and
 * nobody will ever take that back.
 */
async function forgetUnbegun(session: Session, files: StateFiles): Promise<void> {
  const { state, timer } = session.journal();
  const { activity, position } = state;
  if (activity.kind !== "staging" || revertsTo(state, position).length > 0) return;
  if (timer !== null && (await isWatching(files, timer))) return;
  await session.write({ state: { ...state, activity: { kind: "settled" } }, timer: null });
  await session.record("stage-forgotten", { stage: activity.stage, reason: "it had not begun" });
}

/** Applies one change; answers what went wrong, if anything did. */
async function apply(
  { session, config, signal }: VerifyContext,
  change: Change,
): Promise<string | undefined> {
  const { apply: command } = commandsOf(config, change);
  // Written down before it begins.
  await session.step(beginChange(session.journal().state, change));
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

/** Takes a stage back that cannot be kept. */
async function giveUp(
  { session }: VerifyContext,
  stage: Stage,
  checks: readonly Check[],
  reason: string,
): Promise<StageOutcome> {
  session.report(`stage ${stage} failed: ${reason}`);
  const { failed } = await takeBack(session, {
    to: session.journal().state.position,
    by: "verification",
    reason,
    attempts: 1,
    // An interrupt ends the stage, and never the way back.
    signal: new AbortController().signal,
  });
  const kind = failed === undefined ? "rolled-back" : "stuck";
  return { kind, stage, checks, reason };
}

/** The operator gets the whole time for the decision, however long applying took. */
async function extendTimer(session: Session, config: RolloutConfig) {
  const { timer } = session.journal();
  if (timer === null) return null;
  const deadlineAtMs = session.nowMs() + config.deadManSeconds * 1_000;
  await session.record("timer-extended", { deadlineAt: new Date(deadlineAtMs) });
  return { ...timer, deadlineAtMs };
}

function failureText(checks: readonly Check[]): string {
  const failed = checks.filter(({ verdict }) => verdict === "fail");
  return failed.map(({ id, observed }) => `${id}: ${observed}`).join("; ");
}

function getNextStage({ position }: RolloutState): Stage {
  const stage = stageAfter(position);
  if (stage === undefined) throw new RefusedError(`nothing follows ${position}`);
  return stage;
}
