import type { Check, Verdict } from "../../edge/probe/check.ts";
import { isText, mapWith, maybe, oneOf } from "./form.ts";

export type { Check, Verdict } from "../../edge/probe/check.ts";

const VERDICTS = ["pass", "fail", "inconclusive"] as const satisfies readonly Verdict[];
export const isVerdict = oneOf(VERDICTS);

export const isCheck = mapWith<Check>({
  id: isText,
  title: isText,
  verdict: isVerdict,
  observed: isText,
  why: isText,
  mend: isText,
  severity: maybe(oneOf(["warning"])),
  because: maybe(isText),
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
