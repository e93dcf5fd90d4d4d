import picocolors from "picocolors";
import { type Check, overall, type Verdict } from "./verdict.ts";

const WORDS: Record<Verdict, string> = { pass: "PASS", fail: "FAIL", inconclusive: "DOUBT" };
/** The longest word of a verdict. */
const WORD_COLUMNS = 5;
const GAP = "  ";

/** A table for people: what was found, and for everything that did not pass why and what to do. */
export function renderChecks(checks: readonly Check[], options: { isTerminal: boolean }): string {
  const colors = picocolors.createColors(options.isTerminal);
  const idColumns = Math.max(0, ...checks.map((check) => check.id.length));
  const paint = (verdict: Verdict) => {
    if (verdict === "pass") return colors.green;
    return verdict === "fail" ? colors.red : colors.yellow;
  };
  const lines = checks.flatMap(({ id, title, verdict, observed, why, mend }) => {
    const word = paint(verdict)(WORDS[verdict].padEnd(WORD_COLUMNS));
    const margin = " ".repeat(WORD_COLUMNS + GAP.length);
    const detail = (label: string, text: string) =>
      text === "" ? [] : [`${margin}${colors.dim(label)} ${text}`];
    return [
      `${word}${GAP}${colors.bold(id.padEnd(idColumns))}${GAP}${title}: ${observed}`,
      ...(verdict === "pass" ? [] : [...detail("why: ", why), ...detail("mend:", mend)]),
    ];
  });
  const verdict = overall(checks);
  const count = (wanted: Verdict) => checks.filter((check) => check.verdict === wanted).length;
  const counts = `${count("pass")} passed, ${count("fail")} failed, ${count("inconclusive")} in doubt`;
  const summary = `${paint(verdict)(verdict)} (${counts})`;
  return `${[...lines, "", summary].join("\n")}\n`;
}

/** The same for machines: one JSON document on one line. */
export function renderChecksJson(checks: readonly Check[]): string {
  return `${JSON.stringify({ verdict: overall(checks), checks })}\n`;
}
