import type { Check } from "../terms/verdict.ts";

/** What a check is about, whatever comes of it. */
export type Subject = Pick<Check, "id" | "title" | "why">;

export function passed(subject: Subject, observed: string): Check {
  return { ...subject, verdict: "pass", observed, mend: "" };
}

/** Works, and is worth mending: it stops nobody. */
export function warned(subject: Subject, observed: string, mend: string): Check {
  return { ...subject, verdict: "pass", observed, mend, severity: "warning" };
}

export function failed(subject: Subject, observed: string, mend: string): Check {
  return { ...subject, verdict: "fail", observed, mend };
}

/** Neither shown nor refuted: `mend` says what would make it possible to tell. */
export function doubtful(subject: Subject, observed: string, mend: string): Check {
  return { ...subject, verdict: "inconclusive", observed, mend };
}
