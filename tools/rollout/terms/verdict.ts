import * as z from "zod";

/** What a judge says. Without enough evidence it says so; it never passes on missing data. */
export type Verdict = (typeof VERDICTS)[number];
const VERDICTS = ["pass", "fail", "inconclusive"] as const;
export const verdictSchema = z.enum(VERDICTS);

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

export const checkSchema: z.ZodType<Check> = z.object({
  id: z.string(),
  title: z.string(),
  verdict: verdictSchema,
  observed: z.string(),
  why: z.string(),
  mend: z.string(),
  severity: z.literal("warning").optional(),
  because: z.string().optional(),
});

/** The exit codes of every verb. */
export const EXIT = { pass: 0, fail: 1, usage: 2, inconclusive: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One failure fails the whole; one doubt makes it inconclusive; nothing looked at is a doubt. */
export function overall(checks: readonly Check[]): Verdict {
  if (checks.some((check) => check.verdict === "fail")) return "fail";
  if (checks.length === 0 || checks.some((check) => check.verdict === "inconclusive")) {
    return "inconclusive";
  }
  return "pass";
}
