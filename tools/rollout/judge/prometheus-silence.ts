import { doubtful } from "../../edge/probe/check.ts";
import { METRICS_CHECK } from "../terms/cause-groups.ts";
import type { GateFinding } from "./gate.ts";
import { type QueryAnswer, queryPrometheus } from "./query-prometheus.ts";

const SUBJECT = {
  id: METRICS_CHECK,
  title: "The metrics",
  why: "what is not measured cannot pass",
};

/**
 * Asks Prometheus for a constant. Returns undefined if it answers, otherwise one finding for all
 * gates.
 */
export async function findSilence(
  prometheusUrl: string,
  at: Date,
  signal?: AbortSignal,
): Promise<GateFinding | undefined> {
  const answer = await queryPrometheus(prometheusUrl, "vector(1)", at, signal);
  return answer.kind === "value" ? undefined : describeSilence(prometheusUrl, answer);
}

/** The finding that stands for all gates that could not be measured. */
export function describeSilence(
  prometheusUrl: string,
  answer: Exclude<QueryAnswer, { kind: "value" }>,
): GateFinding {
  const problem = answer.kind === "nothing" ? "an empty answer" : answer.problem;
  const observed = `Prometheus does not answer at ${prometheusUrl} (${problem})`;
  const mend = "start Prometheus, or correct prometheus.url; every gate is unknown until then";
  const check = doubtful(SUBJECT, observed, mend);
  const numbers = { value: undefined, baseline: undefined, samples: undefined };
  return { check, ...numbers, unit: "number", limit: "-" };
}
