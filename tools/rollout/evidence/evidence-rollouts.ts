import { type Check, overall, type Verdict } from "../terms/verdict.ts";
import type { EvidenceRecord } from "./evidence-chain.ts";
import { checksOf, fieldsOf, textOf } from "./evidence-fields.ts";

/** One way from baseline to its end, as the records tell it. */
export type RolloutSummary = {
  /** Release and change reference, where they were named. */
  title: string;
  outcome: { verdict: Verdict; text: string };
  who: readonly string[];
  from: string;
  to: string;
  spans: readonly Span[];
  marks: readonly Mark[];
  /** What was looked at, in order. */
  looks: readonly Look[];
  /** The commands that changed something. */
  commands: readonly Command[];
  /** The last values of the gates, with their limits. */
  gates: readonly Check[];
  /** Doubts that somebody took on, with the reason. */
  doubts: readonly string[];
  records: readonly EvidenceRecord[];
};

/** Something that lasted. */
export type Span = { lane: string; from: string; to: string; verdict: Verdict; text: string };
/** Something that happened. */
export type Mark = { lane: string; at: string; verdict: Verdict; text: string };
export type Look = { of: string; at: string; verdict: Verdict; checks: readonly Check[] };
export type Command = { purpose: string; at: string; result: string; isGood: boolean };

/** The records of each rollout, the oldest first; looking around before one belongs to it. */
export function splitRollouts(records: readonly EvidenceRecord[]): EvidenceRecord[][] {
  const rollouts: EvidenceRecord[][] = [];
  let hasEnded = false;
  for (const record of records) {
    const isAgain = record.kind === "stage-begun" && textOf(record, "from") === "baseline";
    const begins = record.kind === "rollout-begun" || (isAgain && hasEnded);
    const current = rollouts.at(-1);
    if (current === undefined || begins) rollouts.push([record]);
    else current.push(record);
    if (begins) hasEnded = false;
    else if (record.kind === "rollback-ended") hasEnded = textOf(record, "to") === "baseline";
    else if (record.kind === "stage-confirmed") hasEnded = textOf(record, "position") === "done";
  }
  return rollouts;
}

export function summarise(records: readonly EvidenceRecord[]): RolloutSummary {
  const looks = records.flatMap((record): Look[] => {
    const checks = checksOf(record);
    if (record.kind !== "checks" || checks === undefined) return [];
    const of = textOf(record, "of");
    return [{ of, at: record.at, verdict: overall(checks), checks }];
  });
  const measured = looks.filter(({ checks }) => checks.some(isGate)).at(-1);
  return {
    title: titleOf(records),
    outcome: outcomeOf(records),
    who: [...new Set(records.flatMap(({ who }) => who ?? []))],
    from: records[0]?.at ?? "",
    to: records.at(-1)?.at ?? "",
    spans: spansOf(records),
    marks: looks.map(({ of, at, verdict }) => ({ lane: laneOf(of), at, verdict, text: of })),
    looks,
    commands: commandsOf(records),
    gates: measured?.checks.filter(isGate) ?? [],
    doubts: records.flatMap((record) => textOf(record, "takesOnDoubt") || []),
    records,
  };
}

function isGate({ id }: Check): boolean {
  return id.startsWith("gate.");
}

function titleOf(records: readonly EvidenceRecord[]): string {
  const begun = records.find(({ kind }) => kind === "rollout-begun");
  const names = begun === undefined ? [] : [textOf(begun, "release"), textOf(begun, "change")];
  return names.filter((name) => name !== "").join(", ");
}

/** How it stands after the last step; every step says where it led. */
function outcomeOf(records: readonly EvidenceRecord[]): RolloutSummary["outcome"] {
  let outcome: RolloutSummary["outcome"] = {
    verdict: "inconclusive",
    text: "Nothing was changed: it was only looked at",
  };
  let reason = "";
  for (const record of records) {
    const say = (name: string) => textOf(record, name);
    switch (record.kind) {
      case "stage-begun":
        outcome = { verdict: "inconclusive", text: `Under way: stage ${say("stage")} was begun` };
        break;
      case "stage-confirmed":
        outcome =
          say("position") === "done"
            ? { verdict: "pass", text: "Completed: every stage was confirmed" }
            : { verdict: "inconclusive", text: `Under way: it stands at ${say("position")}` };
        break;
      case "rollback-begun":
        reason = `${BY[say("by")] ?? say("by")}: ${say("reason")}`;
        outcome = { verdict: "fail", text: `Going back to ${say("to")} (${reason})` };
        break;
      case "rollback-failed":
        outcome = { verdict: "fail", text: `GOING BACK FAILED at ${say("change")} (${reason})` };
        break;
      case "rollback-ended":
        outcome = { verdict: "fail", text: `Rolled back to ${say("to")} (${reason})` };
        break;
    }
  }
  return outcome;
}

const BY: Readonly<Record<string, string>> = {
  operator: "by the operator",
  timer: "by the dead-man timer, since nobody confirmed",
  verification: "by the program, since a stage failed",
};

function spansOf(records: readonly EvidenceRecord[]): Span[] {
  const spans: Span[] = [];
  let stage: EvidenceRecord | undefined;
  let back: EvidenceRecord | undefined;
  const end = (at: string, verdict: Verdict, text: string) => {
    if (stage === undefined) return;
    const name = textOf(stage, "stage");
    spans.push({ lane: name, from: stage.at, to: at, verdict, text: `stage ${name}: ${text}` });
    stage = undefined;
  };
  for (const record of records) {
    const { kind, at } = record;
    if (kind === "stage-begun") stage = record;
    if (kind === "stage-forgotten") end(at, "inconclusive", "never begun");
    if (kind === "stage-confirmed") end(at, "pass", "confirmed");
    if (kind === "rollback-begun") {
      end(at, "fail", "taken back");
      back = record;
    }
    if (kind !== "rollback-ended" && kind !== "rollback-failed") continue;
    const text = `rollback to ${textOf(record, "to")}`;
    spans.push({ lane: "rollback", from: back?.at ?? at, to: at, verdict: "fail", text });
    back = undefined;
  }
  const last = records.at(-1)?.at ?? "";
  end(last, "inconclusive", "not confirmed yet");
  if (back !== undefined) {
    const text = "rollback under way";
    spans.push({ lane: "rollback", from: back.at, to: last, verdict: "inconclusive", text });
  }
  return spans;
}

function laneOf(of: string): string {
  return of.startsWith("stage ") ? of.slice("stage ".length) : "rollback";
}

function commandsOf(records: readonly EvidenceRecord[]): Command[] {
  return records.flatMap((record): Command[] => {
    if (record.kind !== "command-ended") return [];
    const { exitCode } = fieldsOf(record.data);
    const stoppedBy = textOf(record, "stoppedBy");
    const result = stoppedBy === "" ? `exit ${JSON.stringify(exitCode)}` : stoppedBy;
    const isGood = exitCode === 0;
    return [{ purpose: textOf(record, "purpose"), at: record.at, result, isGood }];
  });
}
