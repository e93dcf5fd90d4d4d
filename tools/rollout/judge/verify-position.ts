import type { Environment } from "../../../services/runtime/env.ts";
import { readEnvironmentFiles } from "../settings/environment-files.ts";
import type { RolloutConfig, RolloutServiceName } from "../settings/rollout-config.ts";
import type { StageJudge } from "../settings/rollout-schema.ts";
import { type EdgeFile, judgeEdgeFiles, readEdgeFiles } from "../state/edge-files.ts";
import { chooseWindow, type GoodWindow } from "../state/good-window.ts";
import {
  type ServiceSnapshot,
  type SnapshotSource,
  takeSnapshot,
} from "../state/identity-snapshot.ts";
import { redactChecks } from "../state/redact-for.ts";
import type { Session } from "../state/rollout-session.ts";
import {
  type Change,
  changesOf,
  type Position,
  positionAfter,
  type Stage,
} from "../state/rollout-state.ts";
import type { LiveLine } from "../terminal/live-line.ts";
import { type Check, overall } from "../terms/verdict.ts";
import { expectedHops, judgeRestored, judgeStageIdentity } from "./identity-judge.ts";
import { judgeFailureMode, judgeReleases, judgeRunning } from "./judge-running.ts";

/** What a judge gets: the configuration, and what should run at this point of the rollout. */
export type JudgeRequest = {
  config: RolloutConfig;
  environment: Environment;
  expectedHops: Partial<Record<RolloutServiceName, number>>;
  /** Changes already applied: these services must run as their files say. */
  applied: readonly Change[];
  /** The time to compare with; undefined if none was recorded. */
  baseline: GoodWindow | undefined;
  /** The time to compare with if `baseline` has no data. */
  fallback: GoodWindow | undefined;
  /** Reports the progress of a judge that takes minutes. */
  onProgress?: LiveLine["show"] | undefined;
  signal: AbortSignal;
};

/** The judges of a running deployment; they never change it. */
export type Judges = Readonly<
  Record<Exclude<StageJudge, "identity">, (request: JudgeRequest) => Promise<Check[]>>
>;

export type VerifyContext = {
  session: Session;
  config: RolloutConfig;
  environment: Environment;
  judges: Judges;
  /** Shows progress, if an operator is there to see it. */
  live?: LiveLine | undefined;
  signal: AbortSignal;
};

/** Verifies the deployment after a stage was applied, with every judge that the stage names. */
export async function verifyStage(context: VerifyContext, stage: Stage): Promise<Check[]> {
  const { session, config } = context;
  const { judges, verify } = config.stages[stage];
  const reached = positionAfter(stage);
  const checks: Check[] = [];
  for (const judge of judges) {
    session.report(`${judge} looks at stage ${stage}`);
    if (judge === "identity") checks.push(...(await verifyIdentity(context, stage)));
    else checks.push(...(await ask(context, judge, reached)));
  }
  if (verify !== undefined) checks.push(await runVerify(context, stage, verify));
  const clean = redactChecks(checks, session.redact);
  await keep(session, stage, `stage ${stage}`, clean);
  return clean;
}

/** Takes a snapshot of every service, and judges what runs and what the stage changed. */
async function verifyIdentity(context: VerifyContext, stage: Stage): Promise<Check[]> {
  const { session, config } = context;
  const { snapshots, state, edgeFiles } = session.journal();
  const changes = changesOf(stage);
  const before = snapshots[state.position];
  const after = await snapshot(context);
  const { topology, hops } = config.edge;
  const reached = positionAfter(stage);
  const baseline = snapshots.baseline;
  const edgeBefore = changes.includes("proxy") ? [] : (edgeFiles?.[state.position] ?? []);
  const edgeAfter = await readEdgeFiles(edgeBefore.map(({ file }) => file));
  return [
    ...judgeStageIdentity({ stage, reached, changes, topology, hops, baseline, before, after }),
    ...judgeRunning(after, { failOpen: config.failOpen, backends: await backendsOf(config) }),
    ...judgeReleases({ changes, release: config.release, before, after }),
    ...(edgeBefore.length > 0
      ? [judgeEdgeFiles("edge.untouched", edgeBefore, edgeAfter, "before this stage")]
      : []),
  ];
}

/** The backend that each service's file names. Other checks report an unreadable file. */
async function backendsOf(config: RolloutConfig) {
  const files = await readEnvironmentFiles(config.services).catch(() => undefined);
  const backend = (name: RolloutServiceName) => files?.[name]?.["DB_BACKEND"]?.trim() || "postgres";
  return { auth: backend("auth"), limiter: backend("limiter"), gateway: backend("gateway") };
}

/** What verifyRollback needs; the timer has no more than this. */
export type RestoredContext = {
  session: Session;
  config: SnapshotSource;
  environment: Environment;
};

/** Compares the deployment after a rollback with the snapshot taken at `to`; empty without one. */
export async function verifyRollback(context: RestoredContext, to: Position): Promise<Check[]> {
  const { session } = context;
  const { snapshots, edgeFiles } = session.journal();
  const before = snapshots[to];
  if (before === undefined) return [];
  session.report(`looks whether everything is as it was at ${to}`);
  const found = judgeRestored(to, before, await snapshot(context));
  const edge = await judgeRestoredEdge(edgeFiles?.[to] ?? [], to);
  const checks = redactChecks([...found, ...edge], session.redact);
  await keep(session, "rollback", `rollback to ${to}`, checks);
  return checks;
}

/** Reports the edge's files only if they differ: the services matter more. */
async function judgeRestoredEdge(before: readonly EdgeFile[], to: Position): Promise<Check[]> {
  const after = await readEdgeFiles(before.map(({ file }) => file));
  const check = judgeEdgeFiles("edge.restored", before, after, `at ${to}`);
  return check.verdict === "pass" ? [] : [check];
}

/** After a restore, checks that every service fails closed, and runs the canary. */
export async function verifyRestored(context: VerifyContext): Promise<Check[]> {
  const { session } = context;
  const closed = (await snapshot(context))
    .filter(({ said }) => said !== undefined)
    .map((service) => judgeFailureMode(service, []));
  session.report("the canary looks at the restored baseline");
  const found = [...closed, ...(await ask(context, "canary", "baseline"))];
  const checks = redactChecks(found, session.redact);
  const verdict = overall(checks);
  await session.record("checks", { of: "restored baseline", verdict, checks });
  // The window that just passed is newer than the baseline that it was compared with.
  const { lastGoodWindow } = session.journal();
  if (verdict === "pass") await session.write({ baselineWindow: lastGoodWindow });
  return checks;
}

/** Asks the services how they are configured, and keeps the answers as evidence. */
export async function snapshot({
  session,
  config,
  environment,
}: RestoredContext): Promise<readonly ServiceSnapshot[]> {
  const services = await takeSnapshot(config, environment[config.operatorTokenEnv]);
  await session.record("snapshot", { services });
  return services;
}

async function ask(
  { session, config, environment, judges, live, signal }: VerifyContext,
  judge: Exclude<StageJudge, "identity">,
  reached: Position,
): Promise<Check[]> {
  const { snapshots, state, baselineWindow, changedAt } = session.journal();
  const { edge } = config;
  const hops = expectedHops(reached, edge.topology, snapshots.baseline, edge.hops);
  const from = new Date(session.nowMs()).toISOString();
  const looking = judges[judge]({
    config,
    environment,
    expectedHops: hops,
    applied: state.touched,
    baseline: baselineWindow ?? undefined,
    // At the baseline, the time since the last change is better than no time to compare with.
    fallback:
      reached === "baseline"
        ? chooseWindow({
            nowMs: session.nowMs(),
            durationMs: config.canary.durationSeconds * 1_000,
            ...{ hops, changedAt, known: [] },
          })
        : undefined,
    onProgress: live?.show,
    signal,
  });
  const checks = await looking.finally(() => live?.clear());
  if (judge === "canary" && overall(checks) === "pass") {
    const to = new Date(session.nowMs()).toISOString();
    await session.write({ lastGoodWindow: { from, to, hops } });
  }
  return checks;
}

async function runVerify(
  { session, config, signal }: VerifyContext,
  stage: Stage,
  command: string,
): Promise<Check> {
  session.report(`the operator's command looks at stage ${stage}`);
  const timeoutMs = config.commandSeconds * 1_000;
  const purpose = `verify of ${stage}`;
  const { exitCode, stoppedBy, output } = await session.run({
    purpose,
    command,
    timeoutMs,
    signal,
  });
  const isGood = exitCode === 0;
  const lastLine = output.trimEnd().split("\n").at(-1) ?? "";
  return {
    id: `stage.verify.${stage}`,
    title: `The operator's own check of stage ${stage}`,
    verdict: isGood ? "pass" : "fail",
    observed: `${stoppedBy ?? `exit ${exitCode}`}${lastLine === "" ? "" : `: ${lastLine}`}`,
    why: "Only the operator knows what else has to hold here.",
    mend: isGood ? "" : `Run it by hand: ${command}`,
  };
}

async function keep(
  session: Session,
  place: Stage | "rollback",
  of: string,
  checks: readonly Check[],
): Promise<void> {
  const verdict = overall(checks);
  const at = new Date(session.nowMs()).toISOString();
  await session.record("checks", { of, verdict, checks });
  const { lastChecks } = session.journal();
  await session.write({ lastChecks: { ...lastChecks, [place]: { at, of, verdict, checks } } });
}
