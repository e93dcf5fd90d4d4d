import { fits } from "../../../services/runtime/documents/decode-json.ts";
import { type Check, type Verdict, verdictSchema } from "../terms/verdict.ts";
import { type EvidenceRecord, headOf } from "./evidence-chain.ts";
import { checksOf, escapeHtml, fieldsOf } from "./evidence-fields.ts";
import { type RolloutSummary, splitRollouts, summarise } from "./evidence-rollouts.ts";
import { STYLE } from "./evidence-style.ts";
import { renderTimeline } from "./evidence-timeline.ts";

/**
 * A page that needs nothing from anywhere else: each rollout with what became of it, the latest
 * first, and then its records. The same records always give the same bytes, so that a changed page
 * can be told from the one that was written.
 */
export function renderEvidenceHtml(records: readonly EvidenceRecord[], data: string): string {
  const head = headOf(records);
  const rollouts = splitRollouts(records).map(summarise);
  const sections = rollouts.map((rollout, index) => renderRollout(rollout, index + 1)).toReversed();
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Rollout evidence</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>Rollout evidence</h1>
<p>${head.count} records of ${rollouts.length} ${rollouts.length === 1 ? "rollout" : "rollouts"}. Head <code>${head.hash}</code></p>
<p class="note">Each record's hash covers the one before it. Check this file with
<code>rollout evidence verify FILE --head ${head.hash}</code>, with the head taken from where it was
noted at the time, not from this page.</p>
</header>
${sections.join("\n")}
</main>
${data}
</body>
</html>
`;
}

/** One rollout: what became of it, who, when, what, how it was judged, and its records. */
function renderRollout(rollout: RolloutSummary, number: number): string {
  const { title, outcome, who, from, to, doubts, records } = rollout;
  const name = title === "" ? `Rollout ${number}` : `Rollout ${number}: ${title}`;
  const parts = [
    `<h2>${escapeHtml(name)}</h2>`,
    `<p class="outcome ${outcome.verdict}">${escapeHtml(outcome.text)}</p>`,
    `<dl><dt>Who</dt><dd>${escapeHtml(who.join(", ") || "not recorded")}</dd>
<dt>When</dt><dd><time>${escapeHtml(from)}</time> to <time>${escapeHtml(to)}</time>${durationText(from, to)}</dd>
${doubts.map((doubt) => `<dt>Doubt taken on</dt><dd>${escapeHtml(doubt)}</dd>`).join("\n")}</dl>`,
    renderTimeline(rollout),
    renderLooks(rollout),
    renderCommands(rollout),
    rollout.gates.length === 0
      ? ""
      : `<h3>Gates, as last measured</h3>\n${renderChecks(rollout.gates)}`,
    `<h3>Records</h3>\n<ol class="records">\n${records.map(renderRecord).join("\n")}\n</ol>`,
  ];
  return `<section class="rollout">\n${parts.filter(Boolean).join("\n")}\n</section>`;
}

function renderLooks({ looks }: RolloutSummary): string {
  if (looks.length === 0) return "";
  const rows = looks.map(({ of, at, verdict, checks }) => {
    const count = (wanted: Verdict) => checks.filter((check) => check.verdict === wanted).length;
    const counts = `${count("pass")} passed, ${count("fail")} failed, ${count("inconclusive")} in doubt`;
    const failed = checks.filter((check) => check.verdict === "fail");
    const what = failed.map(({ id, observed }) => `<br>${code(id)} ${escapeHtml(observed)}`);
    return `<tr><td class="${verdict}">${verdict}</td><td>${escapeHtml(of)}</td><td>${counts}${what.join("")}</td><td><time>${escapeHtml(at)}</time></td></tr>`;
  });
  return table("What was judged", ["Verdict", "What", "Checks", "When"], rows);
}

function renderCommands({ commands }: RolloutSummary): string {
  if (commands.length === 0) return "";
  const rows = commands.map(({ purpose, at, result, isGood }) => {
    const verdict = isGood ? "pass" : "fail";
    return `<tr><td class="${verdict}">${escapeHtml(result)}</td><td>${escapeHtml(purpose)}</td><td><time>${escapeHtml(at)}</time></td></tr>`;
  });
  return table("What was run", ["Ended with", "Command", "When"], rows);
}

function table(title: string, headings: readonly string[], rows: readonly string[]): string {
  const head = headings.map((heading) => `<th>${heading}</th>`).join("");
  const caption = title === "" ? "" : `<h3>${title}</h3>\n`;
  return `${caption}<table><thead><tr>${head}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;
}

function renderRecord(record: EvidenceRecord): string {
  const { sequence, at, kind, who, hash } = record;
  const by = who === undefined ? "" : ` ${escapeHtml(who)}`;
  return `<li id="r${sequence}"><details><summary>${sequence}. <b>${escapeHtml(kind)}</b> <time>${escapeHtml(at)}</time>${by}</summary>
${renderData(record)}
<div class="hash">${code(hash)}</div></details></li>`;
}

/** Checks as a table, the rest as what it is. */
function renderData(record: EvidenceRecord): string {
  const fields = fieldsOf(record.data);
  const checks = checksOf(record);
  const { checks: _, ...others } = fields;
  const rest = checks === undefined ? fields : others;
  const lines = Object.entries(rest).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, undefined, 1);
    const isLong = text.includes("\n") || text.length > LINE_CHARACTERS_MAX;
    return isLong
      ? `<div>${escapeHtml(name)}:<pre>${escapeHtml(text)}</pre></div>`
      : `<div>${escapeHtml(name)}: <code class="${classOf(text)}">${escapeHtml(text)}</code></div>`;
  });
  return [...lines, ...(checks === undefined ? [] : [renderChecks(checks)])].join("\n");
}

/** Longer texts stand by themselves. */
const LINE_CHARACTERS_MAX = 200;

function renderChecks(checks: readonly Check[]): string {
  const rows = checks.map(({ id, title, verdict, observed, why, mend }) => {
    const isGood = verdict === "pass" && mend === "";
    const reason = isGood ? "" : `<br>why: ${escapeHtml(why)}<br>mend: ${escapeHtml(mend)}`;
    return `<tr><td class="${verdict}">${verdict}</td><td>${code(id)}</td><td>${escapeHtml(title)}: ${escapeHtml(observed)}${reason}</td></tr>`;
  });
  return table("", ["Verdict", "Check", "Found"], rows);
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`;
}

function classOf(text: string): Verdict | "" {
  return fits(text, verdictSchema) ? text : "";
}

function durationText(from: string, to: string): string {
  const minutes = Math.round((Date.parse(to) - Date.parse(from)) / 60_000);
  if (!Number.isFinite(minutes)) return "";
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return ` (${hours > 0 ? `${hours} h ` : ""}${rest} min)`;
}
