import { systemClock } from "../../../services/runtime/clock.ts";
import type { Judges } from "../judge/verify-position.ts";
import { commandsOf } from "../stages/change-commands.ts";
import { refuseBadFiles } from "../stages/refuse-bad-files.ts";
import { readStatus, renderStatus } from "../stages/rollout-status.ts";
import { confirmWaitingStage } from "../stages/stage-confirm.ts";
import { runNextStage, type StageOutcome } from "../stages/stage-next.ts";
import { readJournal } from "../state/journal.ts";
import { RefusedError } from "../state/rollout-session.ts";
import { beginStage, changesOf, STAGES, type Stage, stageAfter } from "../state/rollout-state.ts";
import { createLiveLine } from "../terminal/live-line.ts";
import { renderChecks } from "../terminal/report.ts";
import type { Verb, VerbContext } from "../terms/verb.ts";
import { EXIT, type ExitCode, overall } from "../terms/verdict.ts";
import { COMMON_HELP, readArguments, UsageError } from "./command-line.ts";
import { openRollout, type Rollout, withSession } from "./open-rollout.ts";

const HELP = `stage next [STAGE]   apply the next stage: proxy, api, gateway, canary, always in this order
stage status         where the rollout stands, what the timer does, what was judged
stage confirm        keep the stage that waits, and disarm its timer

A stage goes: plan, arm the dead-man timer, apply, verify, wait for \`stage confirm\`. The timer is a
process of its own. When nobody confirms in time, or this program dies on the way, it runs the
rollback commands by itself. A stage that is judged to fail is taken back at once.

Your apply and rollback commands must be idempotent: after a crash they may run a second time. They
run in a shell, in the directory of the configuration file, with this environment, each for at most
commandSeconds. The timer uses the rollback commands as they were when the stage was applied.

  --dry-run             stage next: show the plan and change nothing
  --take-on-doubt WHY   stage confirm: keep a stage that was judged inconclusive, and say why
${COMMON_HELP}`;

const OPTIONS = {
  "dry-run": { type: "boolean", default: false },
  "take-on-doubt": { type: "string" },
} as const;

/** Moves the deployment forward, one stage at a time. */
export function createStageVerb(judges: Judges): Verb {
  return {
    name: "stage",
    summary: "next | status | confirm: move forward, one stage at a time, under a timer",
    async run(context) {
      const { values, positionals } = readArguments(context.arguments, OPTIONS, 2);
      const [action, argument] = positionals;
      if (values.help) return say(context, HELP);
      if (action !== "next" && argument !== undefined) {
        throw new UsageError(`unexpected argument "${argument}"`);
      }
      const open = () => openRollout(context, values);
      switch (action) {
        case "next": {
          const named = readStage(argument);
          const rollout = await open();
          if (values["dry-run"]) return await showPlan(context, rollout, named, values.json);
          return await next(context, rollout, judges, named, values.json);
        }
        case "status":
          return await status(context, await open(), values.json);
        case "confirm": {
          const takesOnDoubt = values["take-on-doubt"];
          if (takesOnDoubt?.trim() === "") throw new UsageError("--take-on-doubt needs a reason");
          return await confirm(context, await open(), takesOnDoubt, values.json);
        }
        default:
          throw new UsageError("stage needs one of: next, status, confirm");
      }
    },
  };
}

async function next(
  context: VerbContext,
  rollout: Rollout,
  judges: Judges,
  named: Stage | undefined,
  json: boolean,
): Promise<ExitCode> {
  const { config, files } = rollout;
  const { environment, signal } = context;
  const purpose = "stage next";
  const how = { purpose, withoutRecord: "stop" } as const;
  const live = createLiveLine(context, systemClock.nowMs);
  const outcome = await withSession(context, rollout, how, (session) => {
    return runNextStage({ session, config, files, environment, judges, live, signal }, named);
  });
  const verdict = outcome.kind === "awaiting" ? overall(outcome.checks) : "fail";
  if (json) context.stdout(`${JSON.stringify({ verb: "stage next", verdict, ...outcome })}\n`);
  else {
    if (outcome.checks.length > 0) context.stdout(renderChecks(outcome.checks, context));
    context.stdout(`${outcomeText(outcome)}\n`);
  }
  return EXIT[verdict];
}

function outcomeText(outcome: StageOutcome): string {
  const { stage } = outcome;
  switch (outcome.kind) {
    case "awaiting": {
      const doubt = overall(outcome.checks) === "pass" ? "" : ' --take-on-doubt "WHY"';
      const until = outcome.deadlineAtMs && new Date(outcome.deadlineAtMs).toISOString();
      const limit = until ? ` before ${until}, or it is rolled back` : "";
      return `stage ${stage} is applied. Look at it, then: rollout stage confirm${doubt}${limit}`;
    }
    case "rolled-back": {
      if (changesOf(stage).length === 0) {
        return `stage ${stage} failed: ${outcome.reason}. What it looked at is still deployed; next: rollout rollback`;
      }
      const wrong = outcome.restored.filter(({ verdict }) => verdict !== "pass");
      const texts = wrong.map(({ id, observed }) => `${id}: ${observed}`).join("; ");
      const rest = wrong.length > 0 ? `\nIT IS NOT SHOWN TO BE AS IT WAS: ${texts}` : "";
      return `stage ${stage} was taken back: ${outcome.reason}${rest}`;
    }
    case "stuck":
      return `stage ${stage} failed (${outcome.reason}), AND SO DID ITS ROLLBACK. The timer tries again; so can you: rollout rollback`;
  }
}

async function showPlan(
  context: VerbContext,
  { config, files }: Rollout,
  named: Stage | undefined,
  json: boolean,
): Promise<ExitCode> {
  const { state } = await readJournal(files.journal);
  const transition = beginStage(state, named);
  const stage = stageAfter(state.position);
  if (transition.kind === "refused") throw new RefusedError(transition.reason);
  if (stage === undefined) throw new RefusedError("nothing is left to stage");
  await refuseBadFiles(config, changesOf(stage));
  const changes = changesOf(stage).map((change) => ({ change, ...commandsOf(config, change) }));
  const { judges, verify } = config.stages[stage];
  if (json) {
    const plan = { stage, from: state.position, changes, judges, verify };
    return say(context, `${JSON.stringify(plan)}\n`);
  }
  const lines = [
    `stage ${stage}, from ${state.position}`,
    changes.length > 0
      ? `  1. arm the dead-man timer: ${config.deadManSeconds} s`
      : "  nothing is changed, so no timer is armed",
    ...changes.map(({ change, apply }, index) => `  ${index + 2}. apply ${change}: ${apply}`),
    `  then verify with ${[...judges, ...(verify ? [verify] : [])].join(", ") || "nothing"}`,
    "  then wait for: rollout stage confirm",
    ...changes.toReversed().map(({ change, rollback }) => `  back: ${change}: ${rollback}`),
  ];
  return say(context, `${lines.join("\n")}\n`);
}

async function status(context: VerbContext, { files }: Rollout, json: boolean): Promise<ExitCode> {
  const found = await readStatus(files, systemClock.nowMs());
  context.stdout(json ? `${JSON.stringify(found)}\n` : renderStatus(found, context));
  if (found.problem === null) return EXIT.pass;
  context.stderr(`${found.problem}\n`);
  return EXIT.inconclusive;
}

async function confirm(
  context: VerbContext,
  rollout: Rollout,
  takesOnDoubt: string | undefined,
  json: boolean,
): Promise<ExitCode> {
  const how = { purpose: "stage confirm", withoutRecord: "stop" } as const;
  const position = await withSession(context, rollout, how, (session) => {
    return confirmWaitingStage(session, rollout.files, { takesOnDoubt });
  });
  const text = `confirmed: the rollout stands at ${position}, and no timer is armed`;
  const answer = { verb: "stage confirm", verdict: "pass", position };
  return say(context, json ? `${JSON.stringify(answer)}\n` : `${text}\n`);
}

function readStage(text: string | undefined): Stage | undefined {
  const stage = STAGES.find((known) => known === text);
  if (text !== undefined && stage === undefined)
    throw new UsageError(`there is no stage "${text}"`);
  return stage;
}

function say(context: VerbContext, text: string): ExitCode {
  context.stdout(text);
  return EXIT.pass;
}
