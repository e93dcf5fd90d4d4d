import type { Check } from "../terms/verdict.ts";

/** What a check is about, independent of its verdict. */
export type Subject = Pick<Check, "id" | "title" | "why">;

export function passed(subject: Subject, observed: string): Check {
  return { ...subject, verdict: "pass", observed, mend: "" };
}

/** A pass with a warning: worth mending, but it blocks nothing. */
export function warned(subject: Subject, observed: string, mend: string): Check {
  return { ...subject, verdict: "pass", observed, mend, severity: "warning" };
}

export function failed(subject: Subject, observed: string, mend: string): Check {
  return { ...subject, verdict: "fail", observed, mend };
}

/** Inconclusive: `mend` says what would allow a verdict. */
export function doubtful(subject: Subject, observed: string, mend: string): Check {
  return { ...subject, verdict: "inconclusive", observed, mend };
}
