import fc from "fast-check";
import { expect, test } from "vitest";
import {
  assumeBegun,
  awaitConfirmation,
  BASELINE,
  beginChange,
  beginRollback,
  beginStage,
  beginVerifying,
  CHANGES,
  type Change,
  changesOf,
  confirmStage,
  finishRevert,
  finishRollback,
  POSITIONS,
  type RolloutState,
  revertsTo,
  STAGES,
  type Transition,
} from "./rollout-state.ts";

test("a rollout goes through every stage in order, and exactly back", () => {
  const done = STAGES.reduce(completeStage, BASELINE);
  expect(done).toEqual({
    position: "done",
    touched: ["proxy", "limiter", "auth", "gateway"],
    activity: { kind: "settled" },
  });
  expect(reasonOf(beginStage(done))).toMatch("nothing is left");
  expect(revertsTo(done, "baseline")).toEqual(["gateway", "auth", "limiter", "proxy"]);
  expect(revertsTo(done, "proxy")).toEqual(["gateway", "auth", "limiter"]);
  expect(rollBack(done, "proxy")).toMatchObject({ position: "proxy", touched: ["proxy"] });
  expect(rollBack(rollBack(done, "proxy"), "baseline")).toEqual(BASELINE);
});

const proxyBegun = stateOf(beginStage(BASELINE));
const proxyTouched = stateOf(beginChange(proxyBegun, "proxy"));
const proxyVerifying = stateOf(beginVerifying(proxyTouched));
const proxyInDoubt = stateOf(awaitConfirmation(proxyVerifying, "inconclusive"));
const proxyKept = completeStage(BASELINE, "proxy");
const apiBegun = stateOf(beginStage(proxyKept));
const goingBack = stateOf(
  beginRollback(apiBegun, { to: "baseline", by: "operator", reason: "why not" }),
);

test("assumeBegun() adds every change of the stage under way, in their order, and nothing else", () => {
  const limiterTouched = stateOf(beginChange(apiBegun, "limiter"));
  const all = ["proxy", "limiter", "auth"];
  for (const state of [apiBegun, limiterTouched, assumeBegun(apiBegun)]) {
    expect(assumeBegun(state).touched).toEqual(all);
    expect(revertsTo(assumeBegun(state), "proxy")).toEqual(["auth", "limiter"]);
  }
  for (const state of [BASELINE, proxyInDoubt, proxyKept, goingBack]) {
    expect(assumeBegun(state)).toEqual(state);
  }
});

test.each<[string, Transition, RegExp]>([
  ["to skip a stage", beginStage(BASELINE, "api"), /next stage is proxy/],
  ["to repeat a stage", beginStage(proxyKept, "proxy"), /next stage is api/],
  ["a stage while another applies", beginStage(proxyBegun), /proxy is under way/],
  ["a stage while one waits", beginStage(proxyInDoubt), /waits for confirmation/],
  ["a stage while going back", beginStage(goingBack), /rollback to baseline/],
  ["a change out of order", beginChange(apiBegun, "auth"), /not the next change/],
  ["a change of another stage", beginChange(apiBegun, "gateway"), /not the next change/],
  ["a change outside of a stage", beginChange(BASELINE, "proxy"), /no stage is being applied/],
  ["a change while going back", beginChange(goingBack, "limiter"), /no stage is being applied/],
  ["to verify half a stage", beginVerifying(apiBegun), /not applied yet: limiter, auth/],
  ["to await what was not verified", awaitConfirmation(proxyTouched, "pass"), /being verified/],
  ["to confirm nothing", confirmStage(BASELINE, ["pass"]), /nothing waits/],
  ["to confirm what is applying", confirmStage(proxyTouched, ["pass"]), /applying/],
  ["to confirm a doubt unasked", confirmStage(proxyInDoubt, ["pass"]), /judged inconclusive/],
  ["to go back ahead", beginRollback(proxyKept, goal("api")), /lies ahead/],
  ["to go back to where we are", beginRollback(proxyKept, goal("proxy")), /already at proxy/],
  ["to go back less far than begun", beginRollback(goingBack, goal("proxy")), /ends at baseline/],
  ["to take back out of order", finishRevert(goingBack, "limiter"), /not the next change/],
  ["to arrive too early", finishRollback(goingBack), /not taken back yet: proxy/],
])("a rollout refuses %s", (_what, transition, reason) => {
  expect(reasonOf(transition)).toMatch(reason);
});

test("a doubt may be confirmed by an operator who takes it on", () => {
  expect(stateOf(confirmStage(proxyInDoubt, ["pass", "inconclusive"])).position).toBe("proxy");
});

test("a stage cut short takes back only what it had begun", () => {
  const limiterTouched = stateOf(beginChange(apiBegun, "limiter"));
  expect(revertsTo(limiterTouched, "proxy")).toEqual(["limiter"]);
  expect(rollBack(limiterTouched, "proxy")).toEqual(proxyKept);
});

test("whatever is tried in whatever order, changes stay a prefix and positions are earned", () => {
  const steps = fc.array(fc.constantFrom(...everyStep()), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (tried) => {
      let state = BASELINE;
      for (const step of tried) {
        const transition = step(state);
        state = transition.kind === "allowed" ? transition.state : state;
        expect(state.touched).toEqual(CHANGES.slice(0, state.touched.length));
        const earned = STAGES.slice(0, POSITIONS.indexOf(state.position)).flatMap(changesOf);
        const lost = state.activity.kind === "rolling-back" ? state.touched : earned;
        expect(state.touched).toEqual(expect.arrayContaining([...lost]));
      }
    }),
  );
});

function everyStep(): ((state: RolloutState) => Transition)[] {
  return [
    (state) => beginStage(state),
    ...CHANGES.map((change) => (state: RolloutState) => beginChange(state, change)),
    beginVerifying,
    (state) => awaitConfirmation(state, "pass"),
    (state) => confirmStage(state, ["pass"]),
    ...POSITIONS.map((to) => (state: RolloutState) => beginRollback(state, goal(to))),
    ...CHANGES.map((change) => (state: RolloutState) => finishRevert(state, change)),
    finishRollback,
  ];
}

function completeStage(state: RolloutState, stage: (typeof STAGES)[number]): RolloutState {
  const begun = stateOf(beginStage(state, stage));
  const touch = (before: RolloutState, change: Change) => stateOf(beginChange(before, change));
  const verifying = stateOf(beginVerifying(changesOf(stage).reduce(touch, begun)));
  return stateOf(confirmStage(stateOf(awaitConfirmation(verifying, "pass")), ["pass"]));
}

function rollBack(state: RolloutState, to: (typeof POSITIONS)[number]): RolloutState {
  const begun = stateOf(beginRollback(state, goal(to)));
  const takeBack = (before: RolloutState, change: Change) => stateOf(finishRevert(before, change));
  return stateOf(finishRollback(revertsTo(begun, to).reduce(takeBack, begun)));
}

function goal(to: (typeof POSITIONS)[number]) {
  return { to, by: "operator", reason: "a test" } as const;
}

function stateOf(transition: Transition): RolloutState {
  if (transition.kind === "allowed") return transition.state;
  throw new Error(transition.reason);
}

function reasonOf(transition: Transition): string {
  if (transition.kind === "refused") return transition.reason;
  throw new Error("it was allowed");
}
