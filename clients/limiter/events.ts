import { metrics } from "@opentelemetry/api";

/** What a client counts for each consume. */
export type Outcome = "allow" | "reject" | "backend-error" | "fail-open" | "fail-closed";

const OUTCOMES: readonly Outcome[] = [
  "allow",
  "reject",
  "backend-error",
  "fail-open",
  "fail-closed",
];

export type OutcomeCounter = (policy: string, outcome: Outcome) => void;

/**
 * Counts outcomes by surface and policy. Every combination starts at zero. Policies that the
 * service did not announce count as `other`, so that labels stay bounded.
 */
export function createOutcomeCounter(surface: string, policies: readonly string[]): OutcomeCounter {
  const counter = metrics
    .getMeter("portcullis.limiter.client")
    .createCounter("portcullis.limiter.outcomes", {
      description: "Consumes by outcome, as the caller saw them",
    });
  for (const policy of policies) {
    for (const outcome of OUTCOMES) counter.add(0, { surface, policy, outcome });
  }
  const known = new Set(policies);
  return (policy, outcome) => {
    counter.add(1, { surface, policy: known.has(policy) ? policy : "other", outcome });
  };
}
