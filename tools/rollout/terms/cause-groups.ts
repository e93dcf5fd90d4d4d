import type { Check } from "./verdict.ts";

/** The check that tells which services say nothing of themselves. */
export const ANSWER_CHECK = "services.answer";
/** The check that tells why nothing was measured. */
export const METRICS_CHECK = "gate.prometheus";

/** Tells why many others cannot tell; it is never folded away. */
export function isCause({ id }: Check): boolean {
  return id === ANSWER_CHECK || id === METRICS_CHECK;
}

/** One check, and the others that say the same. */
export type CauseGroup = { check: Check; others: readonly Check[] };

/**
 * Puts checks with one cause together: those that name the check which tells the cause, and those
 * in which the same was found and the same is to be done.
 */
export function groupByCause(checks: readonly Check[]): CauseGroup[] {
  const groups = new Map<string, { check: Check; others: Check[] }>();
  const leaders = new Map(checks.map((check) => [check.id, causeOf(check)]));
  for (const check of checks) {
    const cause = (check.because && leaders.get(check.because)) ?? causeOf(check);
    const group = groups.get(cause);
    if (group === undefined) groups.set(cause, { check, others: [] });
    // The check that tells the cause stands for those that came before it.
    else if (causeOf(check) === cause && causeOf(group.check) !== cause) {
      group.others.unshift(group.check);
      group.check = check;
    } else group.others.push(check);
  }
  return [...groups.values()];
}

function causeOf({ observed, mend }: Check): string {
  return `${observed}\n${mend}`;
}
