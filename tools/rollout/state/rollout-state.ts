import * as z from "zod";
import { type Verdict, verdictSchema } from "../terms/verdict.ts";

/** The stages of a rollout, always in this order. */
export const STAGES = ["proxy", "api", "gateway", "canary"] as const;
export type Stage = (typeof STAGES)[number];

/** Where a rollout stands: after which confirmed stage. */
export const POSITIONS = ["baseline", "proxy", "api", "gateway", "done"] as const;
export type Position = (typeof POSITIONS)[number];

/** What can be changed, in the order of applying; taking back goes the other way. */
export const CHANGES = ["proxy", "limiter", "auth", "gateway"] as const;
export type Change = (typeof CHANGES)[number];

/** The limiter goes first, with its migrations: auth must never meet a limiter older than itself. */
const CHANGES_OF: Readonly<Record<Stage, readonly Change[]>> = {
  proxy: ["proxy"],
  api: ["limiter", "auth"],
  gateway: ["gateway"],
  canary: [],
};

/** Who takes changes back. */
const ROLLBACK_BY = ["operator", "timer", "verification"] as const;
export type RollbackBy = (typeof ROLLBACK_BY)[number];

export type Activity =
  | { kind: "settled" }
  | { kind: "staging"; stage: Stage; phase: "applying" | "verifying" }
  /** Waits for the operator's word. */
  | { kind: "awaiting"; stage: Stage; verdict: Verdict }
  | { kind: "rolling-back"; to: Position; by: RollbackBy; reason: string };

export type RolloutState = {
  position: Position;
  /** Changes that were begun and not yet taken back, oldest first. */
  touched: readonly Change[];
  activity: Activity;
};

const activitySchema: z.ZodType<Activity> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("settled") }),
  z.object({
    kind: z.literal("staging"),
    stage: z.enum(STAGES),
    phase: z.enum(["applying", "verifying"]),
  }),
  z.object({ kind: z.literal("awaiting"), stage: z.enum(STAGES), verdict: verdictSchema }),
  z.object({
    kind: z.literal("rolling-back"),
    to: z.enum(POSITIONS),
    by: z.enum(ROLLBACK_BY),
    reason: z.string(),
  }),
]);

/** A state that there can be. */
export const rolloutStateSchema: z.ZodType<RolloutState> = z.object({
  position: z.enum(POSITIONS),
  touched: z.array(z.enum(CHANGES)),
  activity: activitySchema,
});

/** A step that is not allowed is an answer with its reason. */
export type Transition =
  | { kind: "allowed"; state: RolloutState }
  | { kind: "refused"; reason: string };

export const BASELINE: RolloutState = {
  position: "baseline",
  touched: [],
  activity: { kind: "settled" },
};

/** The stage that follows a position; undefined when nothing is left. */
export function stageAfter(position: Position): Stage | undefined {
  return STAGES[POSITIONS.indexOf(position)];
}

/** The position that confirming a stage leads to. */
export function positionAfter(stage: Stage): Position {
  return POSITIONS[STAGES.indexOf(stage) + 1] ?? "done";
}

export function changesOf(stage: Stage): readonly Change[] {
  return CHANGES_OF[stage];
}

/** Begins the next stage. Whoever names a stage must name that one: none is skipped. */
export function beginStage(state: RolloutState, named?: Stage): Transition {
  if (state.activity.kind !== "settled") return refuse(busyText(state.activity));
  const stage = stageAfter(state.position);
  if (stage === undefined)
    return refuse(
      "every stage is confirmed, and nothing is left to stage; rollout begin starts the next rollout",
    );
  if (named !== undefined && named !== stage) {
    return refuse(`the next stage is ${stage}; ${named} cannot be staged from ${state.position}`);
  }
  return allow({ ...state, activity: { kind: "staging", stage, phase: "applying" } });
}

/** Says that one change is about to begin; to be written down before it does. */
export function beginChange(state: RolloutState, change: Change): Transition {
  const { activity, touched } = state;
  if (activity.kind !== "staging" || activity.phase !== "applying") {
    return refuse(`no stage is being applied, so ${change} must not change`);
  }
  const next = CHANGES_OF[activity.stage].find((candidate) => !touched.includes(candidate));
  if (next !== change) return refuse(`${change} is not the next change of stage ${activity.stage}`);
  return allow({ ...state, touched: [...touched, change] });
}

/**
 * What may be true by now, when this was true a moment ago and nobody can say what happened since:
 * every change of the stage under way may have begun.
 */
export function assumeBegun(state: RolloutState): RolloutState {
  const { activity, touched } = state;
  if (activity.kind !== "staging") return state;
  const rest = CHANGES_OF[activity.stage].filter((change) => !touched.includes(change));
  return { ...state, touched: [...touched, ...rest] };
}

/** Says that everything of the stage is applied and will now be looked at. */
export function beginVerifying(state: RolloutState): Transition {
  const { activity, touched } = state;
  if (activity.kind !== "staging" || activity.phase !== "applying") {
    return refuse("no stage is being applied");
  }
  const missing = CHANGES_OF[activity.stage].filter((change) => !touched.includes(change));
  if (missing.length > 0) return refuse(`not applied yet: ${missing.join(", ")}`);
  return allow({ ...state, activity: { ...activity, phase: "verifying" } });
}

/** Leaves a stage that was looked at to the operator. */
export function awaitConfirmation(state: RolloutState, verdict: Verdict): Transition {
  const { activity } = state;
  if (activity.kind !== "staging" || activity.phase !== "verifying") {
    return refuse("no stage is being verified");
  }
  return allow({ ...state, activity: { kind: "awaiting", stage: activity.stage, verdict } });
}

/**
 * Keeps a stage. One that failed cannot be kept, one in doubt only when the operator takes that on.
 */
export function confirmStage(state: RolloutState, accept: readonly Verdict[]): Transition {
  const { activity } = state;
  if (activity.kind === "settled") return refuse("nothing waits for confirmation");
  if (activity.kind !== "awaiting") return refuse(busyText(activity));
  const { stage, verdict } = activity;
  if (!accept.includes(verdict)) return refuse(`stage ${stage} was judged ${verdict}`);
  return allow({ ...state, position: positionAfter(stage), activity: { kind: "settled" } });
}

/**
 * Begins to go back, from wherever things stand. Going back that is already under way may be
 * continued, or taken further back, never less far.
 */
export function beginRollback(
  state: RolloutState,
  goal: { to: Position; by: RollbackBy; reason: string },
): Transition {
  const { activity, position } = state;
  const furthest = activity.kind === "rolling-back" ? activity.to : position;
  if (POSITIONS.indexOf(goal.to) > POSITIONS.indexOf(furthest)) {
    return refuse(`${goal.to} lies ahead: the way back from here ends at ${furthest} or before`);
  }
  const isThere = activity.kind === "settled" && goal.to === position;
  if (isThere) return refuse(`already at ${goal.to}; nothing to take back`);
  return allow({ ...state, activity: { kind: "rolling-back", ...goal } });
}

/** What going back to a position takes back, in this order: exactly the way it was applied. */
export function revertsTo(state: RolloutState, to: Position): readonly Change[] {
  const kept = STAGES.slice(0, POSITIONS.indexOf(to)).flatMap((stage) => CHANGES_OF[stage]);
  return state.touched.filter((change) => !kept.includes(change)).toReversed();
}

/** Says that a change has been taken back. */
export function finishRevert(state: RolloutState, change: Change): Transition {
  const { activity } = state;
  if (activity.kind !== "rolling-back") return refuse("nothing is being rolled back");
  if (revertsTo(state, activity.to)[0] !== change) {
    return refuse(`${change} is not the next change to take back`);
  }
  return allow({ ...state, touched: state.touched.filter((other) => other !== change) });
}

/** Arrives at the position that the rollback went to. */
export function finishRollback(state: RolloutState): Transition {
  const { activity } = state;
  if (activity.kind !== "rolling-back") return refuse("nothing is being rolled back");
  const missing = revertsTo(state, activity.to);
  if (missing.length > 0) return refuse(`not taken back yet: ${missing.join(", ")}`);
  return allow({ ...state, position: activity.to, activity: { kind: "settled" } });
}

/** What goes on, in a sentence. */
export function busyText(activity: Activity): string {
  switch (activity.kind) {
    case "settled":
      return "nothing is under way";
    case "staging":
      return `stage ${activity.stage} is under way (${activity.phase})`;
    case "awaiting":
      return `stage ${activity.stage} waits for confirmation, judged ${activity.verdict}`;
    case "rolling-back":
      return `a rollback to ${activity.to} is under way (${activity.by}: ${activity.reason})`;
  }
}

function allow(state: RolloutState): Transition {
  return { kind: "allowed", state };
}

function refuse(reason: string): Transition {
  return { kind: "refused", reason };
}
