import picocolors from "picocolors";
import { type CauseGroup, groupByCause, isCause } from "../terms/cause-groups.ts";
import { type Check, overall, type Verdict } from "../terms/verdict.ts";

const WORDS = { pass: "PASS", fail: "FAIL", inconclusive: "DOUBT", warning: "WARN" } as const;
type Word = keyof typeof WORDS;
/** The longest word of a verdict. */
const WORD_COLUMNS = 5;
const GAP = "  ";
const MARGIN = " ".repeat(WORD_COLUMNS + GAP.length);
/** Names of checks that are told in a line which only counts them. */
const NAMES_MAX = 6;

export type ReportOptions = {
  isTerminal: boolean;
  /** Shows every check, also where others matter more. */
  isVerbose?: boolean | undefined;
};

/**
 * A table for people, with what has to be read first at its top: failures, then doubts, by their
 * cause, then warnings. Beside a failure doubts and what passed are only counted.
 */
export function renderChecks(checks: readonly Check[], options: ReportOptions): string {
  const colors = picocolors.createColors(options.isTerminal);
  const paint = paintWith(colors);
  const failed = groupByCause(checks.filter(({ verdict }) => verdict === "fail"));
  const inDoubt = checks.filter(({ verdict }) => verdict === "inconclusive");
  const doubts = groupByCause(inDoubt);
  const isFolded = failed.length > 0 && options.isVerbose !== true;
  const warnings = checks.filter((check) => wordOf(check) === "warning");
  const passed = checks.filter((check) => wordOf(check) === "pass");
  const causes = isFolded ? inDoubt.filter(isCause) : [];
  const hidden = inDoubt.filter((check) => !isCause(check));
  const opened = [...failed, ...(isFolded ? [] : doubts)].map(({ check }) => check);
  const shown = [...opened, ...causes, ...warnings];
  const named = isFolded ? shown : [...shown, ...passed];
  const idColumns = Math.max(0, ...named.map((check) => check.id.length));

  const line = (check: Check) => {
    const { id, title, observed } = check;
    const word = wordOf(check);
    const first = `${paint(word)(WORDS[word].padEnd(WORD_COLUMNS))}${GAP}`;
    return `${first}${colors.bold(id.padEnd(idColumns))}${GAP}${title}: ${observed}`;
  };
  const detail = (label: string, text: string) =>
    text === "" ? [] : [`${MARGIN}${colors.dim(label)} ${text}`];
  const whole = (check: Check) => [
    line(check),
    ...detail("why: ", check.why),
    ...detail("mend:", check.mend),
  ];
  const group = ({ check, others }: CauseGroup) => [
    ...whole(check),
    ...(others.length === 0 ? [] : detail("also:", `${namesOf(others, options)} for this reason`)),
  ];
  const folded = (word: Word, list: readonly Check[], what: string) =>
    list.length === 0
      ? []
      : [`${paint(word)(WORDS[word].padEnd(WORD_COLUMNS))}${GAP}${list.length} ${what}`];
  const lines = [
    ...failed.flatMap(group),
    ...(isFolded
      ? [
          ...causes.map(line),
          ...folded(
            "inconclusive",
            hidden,
            `in doubt: ${namesOf(hidden, options)} (--verbose: why)`,
          ),
        ]
      : doubts.flatMap(group)),
    ...warnings.flatMap(whole),
    ...(isFolded ? folded("pass", passed, "passed (--verbose: which)") : passed.map(line)),
  ];
  return `${[...lines, "", summaryOf(checks, paint)].join("\n")}\n`;
}

type Paint = (word: Word) => (text: string) => string;

function paintWith(colors: ReturnType<typeof picocolors.createColors>): Paint {
  const paints = { pass: colors.green, fail: colors.red };
  return (word) => (word === "pass" || word === "fail" ? paints[word] : colors.yellow);
}

function wordOf({ verdict, severity }: Check): Word {
  return verdict === "pass" && severity === "warning" ? "warning" : verdict;
}

function namesOf(checks: readonly Check[], { isVerbose }: ReportOptions): string {
  const named = isVerbose === true ? checks : checks.slice(0, NAMES_MAX);
  const more = checks.length - named.length;
  return `${named.map(({ id }) => id).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** The last line is what is still on the screen: the verdict, and what failed. */
function summaryOf(checks: readonly Check[], paint: Paint): string {
  const verdict = overall(checks);
  const count = (wanted: Verdict) => checks.filter((check) => check.verdict === wanted).length;
  const warnings = checks.filter((check) => wordOf(check) === "warning").length;
  const counts = [
    `${count("pass")} passed, ${count("fail")} failed, ${count("inconclusive")} in doubt`,
    ...(warnings === 0 ? [] : [`${warnings} ${warnings === 1 ? "warning" : "warnings"}`]),
  ];
  return `${paint(verdict)(verdict)} (${counts.join(", ")})`;
}

/** The same for machines: one JSON document on one line. */
export function renderChecksJson(checks: readonly Check[]): string {
  return `${JSON.stringify({ verdict: overall(checks), checks })}\n`;
}
