import * as z from "zod";
import type { Check, Verdict } from "../../edge/probe/check.ts";

export type { Check, Verdict } from "../../edge/probe/check.ts";

const VERDICTS = ["pass", "fail", "inconclusive"] as const satisfies readonly Verdict[];
export const verdictSchema = z.enum(VERDICTS);

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
