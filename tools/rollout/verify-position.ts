import type { Environment } from "../../services/runtime/env.ts";
import { expectedHops, judgeRestored, judgeStageIdentity } from "./identity-judge.ts";
import { type ServiceSnapshot, takeSnapshot } from "./identity-snapshot.ts";
import { redactChecks } from "./redact-for.ts";
import type { RolloutConfig, RolloutServiceName, StageJudge } from "./rollout-config.ts";
import type { Session } from "./rollout-session.ts";
import { changesOf, type Position, positionAfter, type Stage } from "./rollout-state.ts";
import { type Check, overall } from "./verdict.ts";

/** What a judge is asked: how do things stand, given how many hops each service shall trust now? */
export type JudgeRequest = {
  config: RolloutConfig;
  environment: Environment;
  expectedHops: Partial<Record<RolloutServiceName, number>>;
  /** Until when the deployment was as it always had been; undefined when nobody noted that. */
  baselineEndsAt: Date | undefined;
  signal: AbortSignal;
};

/** The judges that look at a running deployment; they never change anything. */
export type Judges = Readonly<
  Record<Exclude<StageJudge, "identity">, (request: JudgeRequest) => Promise<Check[]>>
>;

export type VerifyContext = {
  session: Session;
  config: RolloutConfig;
  environment: Environment;
  judges: Judges;
  signal: AbortSignal;
};

/** Looks at the deployment after a stage was applied, with every judge that the stage names. */
export async function verifyStage(context: VerifyContext, stage: Stage): Promise<Check[]> {
  const { session, config } = context;
  const { judges, verify } = config.stages[stage];
  const { snapshots, state } = session.journal();
  const reached = positionAfter(stage);
  const checks: Check[] = [];
  for (const judge of judges) {
    session.report(`${judge} looks at stage ${stage}`);
    if (judge === "identity") {
      const after = await snapshot(context);
      const { topology, hops } = config.edge;
      const changes = changesOf(stage);
      const before = snapshots[state.position];
      checks.push(
        ...judgeStageIdentity({ stage, reached, changes, topology, hops, before, after }),
      );
    } else checks.push(...(await ask(context, judge, reached)));
  }
  if (verify !== undefined) checks.push(await runVerify(context, stage, verify));
  const clean = redactChecks(checks, session.redact);
  await keep(session, stage, `stage ${stage}`, clean);
  return clean;
}

/** Looks whether going back led exactly back; answers nothing when nobody had looked before. */
export async function verifyRollback(context: VerifyContext, to: Position): Promise<Check[]> {
  const { session } = context;
  const before = session.journal().snapshots[to];
  if (before === undefined) return [];
  session.report(`looks whether everything is as it was at ${to}`);
  const found = judgeRestored(to, before, await snapshot(context));
  const checks = redactChecks(found, session.redact);
  await keep(session, "rollback", `rollback to ${to}`, checks);
  return checks;
}

/** Runs the canary after everything was restored. */
export async function verifyRestored(context: VerifyContext): Promise<Check[]> {
  context.session.report("the canary looks at the restored baseline");
  const checks = redactChecks(await ask(context, "canary", "baseline"), context.session.redact);
  await context.session.record("checks", { of: "restored baseline", checks });
  return checks;
}

/** Asks the services how they are configured, and keeps the answers as evidence. */
export async function snapshot({
  session,
  config,
  environment,
}: Pick<VerifyContext, "session" | "config" | "environment">): Promise<readonly ServiceSnapshot[]> {
  const services = await takeSnapshot(config, environment[config.operatorTokenEnv]);
  await session.record("snapshot", { services });
  return services;
}

async function ask(
  { session, config, environment, judges, signal }: VerifyContext,
  judge: Exclude<StageJudge, "identity">,
  reached: Position,
): Promise<Check[]> {
  const { snapshots, leftBaselineAt } = session.journal();
  return await judges[judge]({
    config,
    environment,
    expectedHops: expectedHops(reached, config.edge.topology, snapshots.baseline, config.edge.hops),
    baselineEndsAt: leftBaselineAt === null ? undefined : new Date(leftBaselineAt),
    signal,
  });
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
