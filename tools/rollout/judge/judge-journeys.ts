import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import type { Check } from "../terms/verdict.ts";
import { JOURNEY_STEPS, type JourneyStep, type StepResult } from "./journey.ts";

const WHY: Readonly<Record<JourneyStep, string>> = {
  login: "nobody gets in otherwise",
  "mint-public": "visitors need a datasource token",
  "mint-private": "users need a datasource token",
  connect: "the websocket carries everything that is live",
  "subscribe-public": "visitors see nothing live otherwise",
  "subscribe-private": "users see nothing live otherwise",
  logout: "a session that cannot be ended stays open for whoever has its token",
};

/** One check for each step over all journeys; a single failure fails the step. */
export function judgeJourneys(journeys: readonly (readonly StepResult[])[]): Check[] {
  return JOURNEY_STEPS.map((step) => {
    const subject = {
      id: `canary.${step}`,
      title: `Through the edge, as a user: ${step}`,
      why: WHY[step],
    };
    const results = journeys.flat().filter((result) => result.step === step);
    const failure = results.find((result) => result.kind === "failed");
    if (failure?.kind === "failed")
      return failed(subject, failure.problem, mendFor(failure.problem));
    const tookMs = results.flatMap((result) => (result.kind === "done" ? [result.tookMs] : []));
    if (tookMs.length === 0 || tookMs.length < results.length) {
      return doubtful(subject, "not tried, since an earlier step failed", "mend that first");
    }
    const times = tookMs.length === 1 ? "once" : `${tookMs.length} times`;
    return passed(subject, `${times}, in at most ${Math.max(...tookMs)} ms`);
  });
}

function mendFor(problem: string): string {
  if (problem.includes("429")) {
    return "over a limit: are all clients in one bucket? npm run rollout -- align";
  }
  if (problem.includes("503")) return "no decision: look at the limiter and its database";
  if (problem.includes("401")) return "check the canary's account and its password";
  if (problem.includes("404")) return "the edge does not forward this route";
  return "read the log of the service behind this route";
}
