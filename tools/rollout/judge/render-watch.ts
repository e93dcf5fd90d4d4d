import picocolors from "picocolors";
import { overall, type Verdict } from "../terms/verdict.ts";
import { formatValue, type GateFinding } from "./gate.ts";

const HEADINGS = ["", "metric", "now", "baseline", "limit", "events"] as const;
/** Columns that a narrow terminal drops, in this order. */
const LESS_NEEDED = ["events", "baseline"] as const;
const GAP = "  ";
const WORDS: Readonly<Record<Verdict, string>> = { pass: "ok", fail: "FAIL", inconclusive: "wait" };

/** Renders the watchlist as a table, one line a gate, with the failures explained below. */
export function renderWatch(
  findings: readonly GateFinding[],
  options: { leftMs: number; isTerminal: boolean; columns?: number | undefined },
): string {
  const colors = picocolors.createColors(options.isTerminal);
  const paint = { pass: colors.green, fail: colors.red, inconclusive: colors.yellow };
  const rows = findings.map(({ check, value, baseline, limit, samples, unit }) => {
    const format = (number: number | undefined) =>
      number === undefined ? "-" : formatValue(number, unit);
    const events = samples === undefined ? "" : String(Math.floor(samples));
    const cells = [WORDS[check.verdict], check.id, format(value), format(baseline), limit, events];
    return { verdict: check.verdict, cells };
  });
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  );
  const shown = fitting(widths, options.columns);
  const line = (cells: readonly string[]) =>
    shown.map((column) => (cells[column] ?? "").padEnd(widths[column] ?? 0)).join(GAP);
  const table = rows.map(({ verdict, cells }) => {
    const [word = "", ...rest] = cells;
    return paint[verdict](word.padEnd(widths[0] ?? 0)) + line(["", ...rest]).slice(widths[0]);
  });
  const notes = findings
    .filter(({ check }) => check.verdict === "fail")
    .map(({ check }) => `${colors.red(check.id)}: ${check.why}; ${check.mend}`);
  const verdict = overall(findings.map(({ check }) => check));
  const left = `${Math.ceil(options.leftMs / 1_000)} s left`;
  const summary = `${paint[verdict](verdict)}, ${left}`;
  return `${[colors.bold(line(HEADINGS)), ...table, "", ...notes, summary].join("\n")}\n`;
}

/** The indexes of the columns that fit; a table that wraps is unreadable. */
function fitting(widths: readonly number[], columns: number | undefined): number[] {
  const shown = HEADINGS.map((_heading, column) => column);
  for (const heading of LESS_NEEDED) {
    const taken = shown.map((column) => widths[column] ?? 0);
    const width = taken.reduce((sum, each) => sum + each + GAP.length, -GAP.length);
    if (columns === undefined || width <= columns) break;
    shown.splice(shown.indexOf(HEADINGS.indexOf(heading)), 1);
  }
  return shown;
}
