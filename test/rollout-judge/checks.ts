import type { Check } from "../../tools/rollout/terms/verdict.ts";

/** The checks that did not pass, as text for a failing test. */
export function notPassed(checks: readonly Check[]): readonly string[] {
  const bad = checks.filter(({ verdict }) => verdict !== "pass");
  return bad.map(({ id, verdict, observed }) => `${verdict} ${id}: ${observed}`);
}

export function getCheck(checks: readonly Check[], id: string): Check {
  const check = checks.find((candidate) => candidate.id === id);
  if (check === undefined) throw new Error(`there is no check ${id}`);
  return check;
}
