import { createTimer, isWatching, startTimer } from "../dead-man/dead-man-timer.ts";
import type { StateFiles } from "../files/state-files.ts";
import { snapshot, type VerifyContext } from "../judge/verify-position.ts";
import type { RolloutConfig, RolloutServiceName } from "../settings/rollout-config.ts";
import { readEdgeFiles } from "../state/edge-files.ts";
import { chooseWindow } from "../state/good-window.ts";
import { hopsOf, isOpen, type ServiceSnapshot } from "../state/identity-snapshot.ts";
import type { Journal } from "../state/journal.ts";
import { digestOf } from "../state/rollout-plan.ts";
import { RefusedError, type Session } from "../state/rollout-session.ts";
import {
  beginStage,
  changesOf,
  type RolloutState,
  revertsTo,
  type Stage,
  stageAfter,
} from "../state/rollout-state.ts";
import { commandsOf } from "./change-commands.ts";
import { refuseBadFiles } from "./refuse-bad-files.ts";

/**
 * Begins the next stage: refuses a stage that cannot succeed, records the current state and arms
 * the timer. It does not change the deployment. Throws a RefusedError.
 */
export async function beginNextStage(
  { session, config, environment, files }: VerifyContext & { files: StateFiles },
  named: Stage | undefined,
): Promise<Stage> {
  await forgetUnbegun(session, files);
  const before = session.journal();
  const transition = beginStage(before.state, named);
  if (transition.kind === "refused") throw new RefusedError(transition.reason);
  const stage = getNextStage(before.state);
  await refuseBadFiles(config, changesOf(stage));
  const isChange = changesOf(stage).length > 0;
  const services = config.stages[stage].judges.includes("identity")
    ? await snapshot({ session, config, environment })
    : undefined;
  refuseOpen(services ?? [], config.failOpen);
  const rollbacks = changesOf(stage).map((change) => {
    return [change, digestOf(commandsOf(config, change).rollback)];
  });
  const timer = isChange ? createTimer(session.nowMs(), config.deadManSeconds) : null;
  // Record first: a stage that cannot be recorded must not begin.
  await session.record("stage-begun", { stage, from: before.state.position, timer });
  await session.step(transition, {
    timer,
    ...(before.state.position === "baseline" && leavingBaseline(session, config, services ?? [])),
    // Digests of the commands that undo the changes of this stage.
    rollbackCommands: { ...before.rollbackCommands, ...Object.fromEntries(rollbacks) },
    snapshots: services
      ? { ...before.snapshots, [before.state.position]: services }
      : before.snapshots,
    edgeFiles: {
      ...before.edgeFiles,
      [before.state.position]: await readEdgeFiles(config.edge.config),
    },
  });
  if (timer === null) return stage;
  try {
    const { pid } = await startTimer(files, timer, session.plan, environment);
    await session.record("timer-armed", { pid, deadlineAt: new Date(timer.deadlineAtMs) });
    session.report(`dead-man timer armed: ${config.deadManSeconds} s, process ${pid}`);
  } catch (error) {
    // Nothing has changed, so there is nothing to roll back.
    await session.write({ state: before.state, timer: null });
    throw error;
  }
  return stage;
}

/** Chooses the baseline window: the good time before the first change, to compare metrics with. */
function leavingBaseline(
  session: Session,
  config: RolloutConfig,
  services: readonly ServiceSnapshot[],
): Pick<Journal, "leftBaselineAt" | "baselineWindow"> {
  const { changedAt, baselineWindow, lastGoodWindow } = session.journal();
  const nowMs = session.nowMs();
  return {
    leftBaselineAt: new Date(nowMs).toISOString(),
    baselineWindow: chooseWindow({
      nowMs,
      durationMs: config.canary.durationSeconds * 1_000,
      hops: hopsOf(services),
      changedAt,
      known: [baselineWindow, lastGoodWindow],
    }),
  };
}

/**
 * Throws a RefusedError if a service fails open unplanned: no stage may start from that state, and
 * no rollback may return to it.
 */
function refuseOpen(
  services: readonly ServiceSnapshot[],
  failOpen: readonly RolloutServiceName[],
): void {
  const open = services.filter((found) => isOpen(found) && !failOpen.includes(found.service));
  if (open.length === 0) return;
  const names = open.map(({ service }) => `${service} runs fail-open`).join(", ");
  throw new RefusedError(
    `${names}; end the degraded mode first (rollout restore-defaults), or name the service in failOpen if this rollout is for it`,
  );
}

/**
 * Drops a stage whose process died between writing the journal and arming the timer: it changed
 * nothing, and no timer will ever roll it back.
 */
async function forgetUnbegun(session: Session, files: StateFiles): Promise<void> {
  const { state, timer } = session.journal();
  const { activity, position } = state;
  if (activity.kind !== "staging" || revertsTo(state, position).length > 0) return;
  if (timer !== null && (await isWatching(files, timer))) return;
  await session.write({ state: { ...state, activity: { kind: "settled" } }, timer: null });
  await session.record("stage-forgotten", { stage: activity.stage, reason: "it had not begun" });
}

function getNextStage({ position }: RolloutState): Stage {
  const stage = stageAfter(position);
  if (stage === undefined) throw new RefusedError(`nothing follows ${position}`);
  return stage;
}
