import { commandsOf } from "../stages/change-commands.ts";
import { EMPTY_JOURNAL, type Journal } from "../state/journal.ts";
import { digestOf } from "../state/rollout-plan.ts";
import { RefusedError, type Session } from "../state/rollout-session.ts";
import { busyText, CHANGES, revertsTo } from "../state/rollout-state.ts";
import type { Verb, VerbContext } from "../terms/verb.ts";
import { EXIT } from "../terms/verdict.ts";
import { COMMON_HELP, readArguments, UsageError } from "./command-line.ts";
import { openRollout, type Rollout, withSession } from "./open-rollout.ts";

const HELP = `begin   start the next rollout, from the state that stands

What runs now becomes the baseline, and the stages begin anew at the proxy. The time that was last
judged good is what the next canary is compared with. The way back to the state before the last
rollout ends here; its records stay in the evidence. A rollout that is not done is given up only with
--yes: what would be lost is shown before.

  --release NAME  what is rolled out, for the status and the evidence
  --change REF    under which reference that was allowed
  --yes           give up a rollout that is not done
${COMMON_HELP}`;

const OPTIONS = {
  release: { type: "string" },
  change: { type: "string" },
  yes: { type: "boolean", default: false },
} as const;

/** Starts the next rollout: what runs now becomes its baseline. */
export const begin: Verb = {
  name: "begin",
  summary: "[--release NAME] [--change REF]: start the next rollout from the state that stands",
  async run(context) {
    const { values } = readArguments(context.arguments, OPTIONS, 0);
    if (values.help) {
      context.stdout(HELP);
      return EXIT.pass;
    }
    const names = {
      release: readName("--release", values.release),
      change: readName("--change", values.change),
    };
    const rollout = await openRollout(context, values);
    const how = { purpose: "begin", withoutRecord: "stop" } as const;
    const begun = await withSession(context, rollout, how, (session) => {
      return beginRollout(session, rollout, { ...names, isGivenUp: values.yes });
    });
    answer(context, begun, values.json);
    return EXIT.pass;
  },
};

type Begun = {
  release: string | null;
  change: string | null;
  from: Journal["state"]["position"];
  /** What the new rollout drops from the journal; the evidence keeps it. */
  forgotten: readonly string[];
  /** What the operator should check before the first stage. */
  notes: readonly string[];
};

async function beginRollout(
  session: Session,
  { config, who }: Rollout,
  wish: { release: string | null; change: string | null; isGivenUp: boolean },
): Promise<Begun> {
  const redact = (name: string | null) => name && session.redact(name);
  const { release, change } = { release: redact(wish.release), change: redact(wish.change) };
  const before = session.journal();
  const { activity, position } = before.state;
  if (activity.kind !== "settled") {
    throw new RefusedError(`${busyText(activity)}; confirm it or roll it back first`);
  }
  const forgotten = whatIsLost(before);
  const isDone = position === "done" || position === "baseline";
  if (!isDone && !wish.isGivenUp) {
    throw new RefusedError(
      `the rollout stands at ${position} and is not done; a new one would lose ${forgotten.join(" and ")}; go on with it, roll it back, or begin with --yes`,
    );
  }
  const notes = CHANGES.filter((name) => {
    const { rollback } = commandsOf(config, name);
    return before.rollbackCommands[name] === digestOf(rollback);
  }).map((name) => {
    return `the rollback command of ${name} is that of the last rollout; see that it leads to what runs now`;
  });
  const begun = { release, change, from: position, forgotten, notes };
  // Record first: if recording fails, the journal stays as it was.
  await session.record("rollout-begun", begun);
  const begunAt = new Date(session.nowMs()).toISOString();
  await session.write({
    ...EMPTY_JOURNAL,
    changedAt: before.changedAt,
    lastGoodWindow: before.lastGoodWindow,
    baselineWindow: before.lastGoodWindow ?? before.baselineWindow,
    rollout: { release, change, who: session.redact(who), begunAt },
  });
  return begun;
}

/** Lists what the new rollout drops: the way back to baseline, and the recorded snapshots. */
function whatIsLost({ state, snapshots }: Journal): string[] {
  const changes = revertsTo(state, "baseline");
  const noted = Object.keys(snapshots);
  return [
    ...(changes.length > 0 ? [`the way back (${changes.join(", ")})`] : []),
    ...(noted.length > 0 ? [`what ran at ${noted.join(", ")}`] : []),
  ];
}

function answer(context: VerbContext, begun: Begun, json: boolean): void {
  const { release, change, from, forgotten, notes } = begun;
  if (json) {
    const document = { verb: "begin", verdict: "pass", position: "baseline", ...begun };
    context.stdout(`${JSON.stringify(document)}\n`);
    return;
  }
  const name = [release, change && `under ${change}`].filter((text) => text).join(" ");
  const lines = [
    `begun${name === "" ? "" : `: ${name}`}; what stood at ${from} is the baseline now`,
    ...(forgotten.length > 0 ? [`kept in the evidence alone: ${forgotten.join(", ")}`] : []),
    ...notes.map((note) => `note: ${note}`),
    "next: rollout preflight, then rollout stage next",
  ];
  context.stdout(`${lines.join("\n")}\n`);
}

function readName(option: string, text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.trim() === "") throw new UsageError(`${option} needs a name`);
  return text.trim();
}
