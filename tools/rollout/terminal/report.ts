import picocolors from "picocolors";
import { type CauseGroup, groupByCause, isCause } from "../terms/cause-groups.ts";
import { type Check, overall, type Verdict } from "../terms/verdict.ts";

const WORDS = { pass: "PASS", fail: "FAIL", inconclusive: "DOUBT", warning: "WARN" } as const;
type Word = keyof typeof WORDS;
/** The length of the longest word above. */
const WORD_COLUMNS = 5;
const GAP = "  ";
const MARGIN = " ".repeat(WORD_COLUMNS + GAP.length);
/** Maximum number of check names in a line that folds several checks. */
const NAMES_MAX = 6;

export type ReportOptions = {
  isTerminal: boolean;
  /** Shows every check in full instead of folding the less important ones. */
  isVerbose?: boolean | undefined;
};

/**
 * Renders a table: failures first, then doubts grouped by cause, warnings and passes. After a
 * failure, doubts and passes are folded into a line each unless `isVerbose`; causes stay visible.
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

/** The last line, which stays visible on the screen: the verdict and the counts. */
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

/** Renders the checks as one JSON document on one line. */
export function renderChecksJson(checks: readonly Check[]): string {
  return `${JSON.stringify({ verdict: overall(checks), checks })}\n`;
}
