import picocolors from "picocolors";
import { readTimer, type TimerReport } from "../dead-man/dead-man-timer.ts";
import { isAlive } from "../files/process-identity.ts";
import { findHolder } from "../files/process-lock.ts";
import type { StateFiles } from "../files/state-files.ts";
import { type Journal, type LastChecks, type RolloutName, readJournal } from "../state/journal.ts";
import { busyText, POSITIONS, STAGES, type Stage, stageAfter } from "../state/rollout-state.ts";

/** Where a rollout stands, for people and machines. */
export type RolloutStatus = {
  position: Journal["state"]["position"];
  activity: Journal["state"]["activity"];
  touched: Journal["state"]["touched"];
  /** The next stage, or `rollback` after a failed canary; null when nothing is left. */
  next: string | null;
  timer: {
    deadlineAt: string;
    secondsLeft: number;
    /** False if the timer process is gone: nothing rolls back by itself. Null if unknown. */
    isWatching: boolean | null;
    pid: number | null;
  } | null;
  /** What the last timer did. */
  lastTimer: Pick<TimerReport, "status" | "at" | "detail"> | null;
  /** The process that holds the lock. */
  atWork: { pid: number; purpose: string } | null;
  lastChecks: Journal["lastChecks"];
  /** The rollout's name, if `rollout begin` started it. */
  rollout: RolloutName | null;
  /** What could not be read, and what to do about it. */
  problem: string | null;
};

export async function readStatus(files: StateFiles, nowMs: number): Promise<RolloutStatus> {
  const { state, timer, lastChecks, rollout } = await readJournal(files.journal);
  const reading = await readTimer(files);
  const report = reading.kind === "report" ? reading.report : undefined;
  const holder = await findHolder(files.lock);
  const isOurs = timer !== null && report?.token === timer.token;
  const isDamaged = reading.kind === "damaged";
  return {
    position: state.position,
    activity: state.activity,
    touched: state.touched,
    next: nextOf(state, lastChecks),
    timer: timer && {
      deadlineAt: new Date(timer.deadlineAtMs).toISOString(),
      secondsLeft: Math.max(0, Math.ceil((timer.deadlineAtMs - nowMs) / 1_000)),
      isWatching: isDamaged ? null : isOurs && isAlive(report.process),
      pid: isOurs ? report.process.pid : null,
    },
    lastTimer: report ? { status: report.status, at: report.at, detail: report.detail } : null,
    atWork: holder ? { pid: holder.process.pid, purpose: holder.purpose } : null,
    lastChecks,
    rollout: rollout ?? null,
    problem: isDamaged ? reading.problem : null,
  };
}

/**
 * A failed canary leaves the earlier stages applied, so a rollback comes next. Any other failed
 * stage was already rolled back, so it comes next itself.
 */
function nextOf(
  { activity, position }: Journal["state"],
  lastChecks: Journal["lastChecks"],
): string | null {
  const stage = stageAfter(position);
  const isHarmful = activity.kind === "settled" && stage === "canary";
  if (isHarmful && findFailure(lastChecks, stage) !== undefined) return "rollback";
  return stage ?? null;
}

/** The stage's last checks, if they failed and no checks have run since. */
function findFailure(
  lastChecks: Journal["lastChecks"],
  stage: Stage | undefined,
): LastChecks | undefined {
  const last = stage === undefined ? undefined : lastChecks[stage];
  if (last?.verdict !== "fail") return undefined;
  const since = Object.values(lastChecks).filter(({ at }) => Date.parse(at) > Date.parse(last.at));
  return since.length === 0 ? last : undefined;
}

/** Renders the positions with the current one marked, then the details and what to do next. */
export function renderStatus(status: RolloutStatus, options: { isTerminal: boolean }): string {
  const colors = picocolors.createColors(options.isTerminal);
  const way = POSITIONS.map((position) =>
    position === status.position ? colors.bold(`[${position}]`) : position,
  );
  const lines = [
    ...rolloutText(status.rollout),
    `position  ${way.join(" → ")}`,
    `activity  ${busyText(status.activity)}`,
    `changed   ${status.touched.join(", ") || "nothing"}`,
    `timer     ${timerText(status, colors)}`,
    ...(status.atWork ? [`at work   process ${status.atWork.pid}: ${status.atWork.purpose}`] : []),
    ...[...STAGES, "rollback" as const].flatMap((place) => checksText(status.lastChecks[place])),
    `next      ${adviceText(status)}`,
  ];
  return `${lines.join("\n")}\n`;
}

function rolloutText(rollout: RolloutName | null): string[] {
  if (rollout === null) return [];
  const { release, change, who, begunAt } = rollout;
  const name = [release, change && `under ${change}`].filter((text) => text).join(" ");
  return [`rollout   ${name || "without a name"}, begun ${begunAt} by ${who}`];
}

type Colors = ReturnType<typeof picocolors.createColors>;

function timerText({ timer, lastTimer }: RolloutStatus, colors: Colors): string {
  if (timer === null) {
    return lastTimer
      ? `not armed; the last one: ${lastTimer.status} ${lastTimer.detail}`.trimEnd()
      : "not armed";
  }
  if (timer.isWatching === null) {
    return colors.red(`UNKNOWN: somebody may watch the deadline ${timer.deadlineAt}`);
  }
  if (!timer.isWatching) {
    return colors.red(`GONE: nobody watches the deadline ${timer.deadlineAt}; roll back yourself`);
  }
  return colors.yellow(`rolls back in ${timer.secondsLeft} s, at ${timer.deadlineAt}`);
}

function checksText(last: LastChecks | undefined): string[] {
  if (last === undefined) return [];
  const { of, verdict, checks, at } = last;
  const failed = idsOfFailed(last);
  const which = failed === "" ? "" : `: ${failed}`;
  return [`checked   ${of}: ${verdict}, ${checks.length} checks at ${at}${which}`];
}

function idsOfFailed({ checks }: LastChecks): string {
  return checks.flatMap(({ id, verdict }) => (verdict === "fail" ? [id] : [])).join(", ");
}

function adviceText(status: RolloutStatus): string {
  const { activity, timer } = status;
  switch (activity.kind) {
    case "settled":
      return settledText(status);
    case "awaiting": {
      const doubt = activity.verdict === "pass" ? "" : ' --take-on-doubt "WHY"';
      if (timer === null) return `stage confirm${doubt}, or rollback`;
      if (timer.isWatching === false) return "rollback: nobody else will";
      return `stage confirm${doubt} before ${timer.deadlineAt}, or rollback`;
    }
    case "staging":
      return "wait for it; if its process is gone: rollback, or let the timer do it";
    case "rolling-back":
      return "wait for it; if its process is gone: rollback continues it";
  }
}

function settledText({ position, next, lastChecks }: RolloutStatus): string {
  const stage = stageAfter(position);
  if (stage === undefined) return "nothing: the rollout is done; rollout begin starts the next one";
  const failure = findFailure(lastChecks, stage);
  if (failure === undefined) return `stage next (${stage})`;
  const reason = `stage ${stage} failed at ${failure.at} (${idsOfFailed(failure)})`;
  return next === "rollback"
    ? `rollback: ${reason}; look for the reason afterwards, then stage next (${stage}) again`
    : `${reason} and was taken back; mend the reason, then stage next (${stage})`;
}
