/** What a judge says. Without enough evidence it says so; it never passes on missing data. */
export type Verdict = "pass" | "fail" | "inconclusive";

/** One thing that was looked at. */
export type Check = {
  /** Stable over versions, for example `hops.aligned`; what runbooks and scripts refer to. */
  id: string;
  /** What was looked at, for people. */
  title: string;
  verdict: Verdict;
  /** What was found. */
  observed: string;
  /** Why it matters, and what goes wrong otherwise. */
  why: string;
  /** What to do about it; empty when it passed without a warning. */
  mend: string;
  /** It passes, and should be mended all the same. */
  severity?: "warning" | undefined;
  /** The id of the check that tells why this one is in doubt. */
  because?: string | undefined;
};

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
