import { systemClock } from "../../../services/runtime/clock.ts";
import { createTimer, isWatching, startTimer, waitUntilEnded } from "../dead-man/dead-man-timer.ts";
import { notify } from "../dead-man/notify.ts";
import { takeBack } from "../dead-man/take-back.ts";
import { endDegradedModes } from "../judge/end-degraded.ts";
import {
  type Judges,
  type VerifyContext,
  verifyRestored,
  verifyRollback,
} from "../judge/verify-position.ts";
import { commandsOf } from "../stages/change-commands.ts";
import { RefusedError, type Session } from "../state/rollout-session.ts";
import {
  beginRollback,
  type Change,
  POSITIONS,
  type Position,
  type RolloutState,
  revertsTo,
} from "../state/rollout-state.ts";
import { createLiveLine } from "../terminal/live-line.ts";
import { renderChecks } from "../terminal/report.ts";
import type { Verb, VerbContext } from "../terms/verb.ts";
import { type Check, EXIT, type ExitCode, overall, type Verdict } from "../terms/verdict.ts";
import { COMMON_HELP, readArguments, UsageError } from "./command-line.ts";
import { openRollout, type Rollout, withSession } from "./open-rollout.ts";

const OPTIONS = { to: { type: "string" }, "dry-run": { type: "boolean", default: false } } as const;

const ROLLBACK_HELP = `rollback [--to POSITION]   go back, one change after the other, exactly as it came

Takes back what was applied, the last change first: gateway, auth, limiter, proxy. Without --to it
goes to where the stage under way began, or else to baseline. It may be run again after it failed or
was cut short, and goes on from there; until it has ended, a timer would finish it by itself. Your
rollback commands must be idempotent. Afterwards every service is compared with what it was then.

  --to POSITION   baseline, proxy, api or gateway
  --dry-run       show what would be taken back
${COMMON_HELP}`;

const RESTORE_HELP = `restore-defaults   go back to baseline, and show that it serves

The same as \`rollback --to baseline\`. Then it ends every degraded mode, with the commands of
endDegraded, and runs the canary against what was restored. It reports success only when the services
are as they were, every one of them fails closed, and the canary passes.

  --dry-run       show what would be taken back
${COMMON_HELP}`;

/** The operator sees the failure and decides whether to try again. */
const ATTEMPTS = 1;

export function createRollbackVerb(judges: Judges): Verb {
  return {
    name: "rollback",
    summary: "[--to POSITION]: go back, exactly as it came",
    async run(context) {
      const { values } = readArguments(context.arguments, OPTIONS, 0);
      if (values.help) return say(context, ROLLBACK_HELP);
      const to = readPosition(values.to);
      return await goBack(context, judges, { ...values, to, isRestored: false });
    },
  };
}

export function createRestoreDefaultsVerb(judges: Judges): Verb {
  return {
    name: "restore-defaults",
    summary: "go back to baseline, and show with the canary that it serves",
    async run(context) {
      const { to: _, ...options } = OPTIONS;
      const { values } = readArguments(context.arguments, options, 0);
      if (values.help) return say(context, RESTORE_HELP);
      return await goBack(context, judges, { ...values, to: "baseline", isRestored: true });
    },
  };
}

type Wish = {
  to: Position | undefined;
  /** Whether to end degraded modes and run the canary afterwards (restore-defaults). */
  isRestored: boolean;
  config: string;
  json: boolean;
  "dry-run": boolean;
};

async function goBack(context: VerbContext, judges: Judges, wish: Wish): Promise<ExitCode> {
  const rollout = await openRollout(context, wish);
  const how = { purpose: "rollback", withoutRecord: "carry-on" } as const;
  return await withSession(context, rollout, how, async (session) => {
    const to = wish.to ?? defaultGoal(session);
    const { state } = session.journal();
    const changes = revertsTo(state, to);
    if (wish["dry-run"]) {
      refuseLikeRollback(state, to, wish);
      return showPlan(context, rollout, { to, changes }, wish.json);
    }
    const { config } = rollout;
    const { environment, signal } = context;
    const live = createLiveLine(context, systemClock.nowMs);
    const verify = { session, config, environment, judges, live, signal };
    const { failed } = await takeBackUnderTimer(context, rollout, session, to, wish);
    const checks = failed === undefined ? await verifyAll(verify, to, wish) : [];
    const reason = reasonOf(wish);
    await notify(session, { to, by: "operator", reason, takenBack: changes, failed, checks });
    const verdict = failed === undefined ? overall(checks) : "fail";
    const unrecorded = [...session.unrecorded().keys()];
    const answer: Answer = { verdict, to, takenBack: changes, failed, checks, unrecorded };
    if (wish.json) context.stdout(`${JSON.stringify({ verb: "rollback", ...answer })}\n`);
    else context.stdout(renderAnswer(answer, context));
    context.stderr(unrecordedText(session, rollout));
    return EXIT[verdict];
  });
}

async function takeBackUnderTimer(
  context: VerbContext,
  rollout: Rollout,
  session: Session,
  to: Position,
  { isRestored }: Wish,
): Promise<{ failed: Change | undefined }> {
  const { state } = session.journal();
  if (isRestored && isAlreadyAt(state, to)) return { failed: undefined };
  if (revertsTo(state, to).length > 0) await ensureTimer(context, rollout, session);
  const { timer } = session.journal();
  const { failed } = await takeBack(session, {
    to,
    by: "operator",
    reason: reasonOf({ isRestored }),
    attempts: ATTEMPTS,
    signal: new AbortController().signal,
  });
  // The timer ends only once the written journal no longer names it.
  const isWritten = failed === undefined && !session.unrecorded().has("the journal");
  if (isWritten && timer !== null) await waitUntilEnded(rollout.files, timer.token);
  return { failed };
}

/** Refuses a dry run for the same reasons as the rollback itself. */
function refuseLikeRollback(state: RolloutState, to: Position, wish: Wish): void {
  if (wish.isRestored && isAlreadyAt(state, to)) return;
  const transition = beginRollback(state, { to, by: "operator", reason: reasonOf(wish) });
  if (transition.kind === "refused") throw new RefusedError(transition.reason);
}

/** restore-defaults is not refused at baseline: it then only verifies. */
function isAlreadyAt({ activity, position }: RolloutState, to: Position): boolean {
  return activity.kind === "settled" && position === to;
}

function reasonOf({ isRestored }: Pick<Wish, "isRestored">): string {
  return isRestored ? "restore defaults" : "asked for";
}

/** Arms a timer that completes the rollback if this process is killed half-way. */
async function ensureTimer(
  context: VerbContext,
  { config, files, report }: Rollout,
  session: Session,
): Promise<void> {
  const { timer: armed } = session.journal();
  if (armed !== null && (await isWatching(files, armed))) return;
  const fresh = createTimer(session.nowMs(), config.deadManSeconds);
  await session.write({ timer: fresh });
  await startTimer(files, fresh, session.plan, context.environment).catch((error: unknown) => {
    report(`goes back without a timer: ${String(error)}`);
  });
}

async function verifyAll(verify: VerifyContext, to: Position, wish: Wish): Promise<Check[]> {
  if (!wish.isRestored) return await verifyRollback(verify, to);
  const ended = await endDegradedModes(verify);
  return [...ended, ...(await verifyRollback(verify, to)), ...(await verifyRestored(verify))];
}

/** The goal of a rollback under way, or where the stage under way began; otherwise baseline. */
function defaultGoal(session: Session): Position {
  const { activity, position } = session.journal().state;
  if (activity.kind === "rolling-back") return activity.to;
  return activity.kind === "settled" ? "baseline" : position;
}

function showPlan(
  context: VerbContext,
  { config }: Rollout,
  plan: { to: Position; changes: readonly Change[] },
  json: boolean,
): ExitCode {
  const changes = plan.changes.map((change) => ({
    change,
    rollback: commandsOf(config, change).rollback,
  }));
  if (json) return say(context, `${JSON.stringify({ to: plan.to, changes })}\n`);
  const lines = changes.map(({ change, rollback }) => `  take back ${change}: ${rollback}`);
  return say(context, `${[`rollback to ${plan.to}`, ...lines].join("\n")}\n`);
}

type Answer = {
  verdict: Verdict;
  to: Position;
  takenBack: readonly Change[];
  failed: Change | undefined;
  checks: readonly Check[];
  /** Which of the journal and the evidence could not be written. */
  unrecorded: readonly string[];
};

function renderAnswer(answer: Answer, context: VerbContext): string {
  const { to, takenBack, failed, checks, unrecorded } = answer;
  if (failed !== undefined) {
    return `the rollback command of ${failed} FAILED; mend it and run this again\n`;
  }
  const what = takenBack.length > 0 ? `took back ${takenBack.join(", ")}` : "nothing to take back";
  const compared = checks.length > 0 ? renderChecks(checks, context) : "nothing to compare it to\n";
  const place = unrecorded.includes("the journal")
    ? `the deployment is back at ${to}, but not the record`
    : `the rollout stands at ${to}`;
  return `${compared}${what}; ${place}\n`;
}

/** A loud warning: the records do not match the deployment. */
function unrecordedText(session: Session, { files }: Rollout): string {
  const problems = [...session.unrecorded()].map(([what, problem]) => `${what} (${problem})`);
  if (problems.length === 0) return "";
  const advice = session.unrecorded().has("the journal")
    ? `\n${files.journal} still says what was true before, and a timer that watches will go back once more. Make the disk writable and run this again, so that it is written down`
    : "";
  return `NOT RECORDED: ${problems.join(", ")}${advice}\n`;
}

function readPosition(text: string | undefined): Position | undefined {
  const position = POSITIONS.find((known) => known === text && known !== "done");
  if (text !== undefined && position === undefined) {
    throw new UsageError(`there is no position "${text}" to go back to`);
  }
  return position;
}

function say(context: VerbContext, text: string): ExitCode {
  context.stdout(text);
  return EXIT.pass;
}
