import type { Json } from "./canonical-json.ts";
import { type EvidenceRecord, headOf } from "./evidence-chain.ts";
import { listOf } from "./form.ts";
import { type Check, isCheck, isVerdict, type Verdict } from "./verdict.ts";

/**
 * A page that needs nothing from anywhere else. The same records always give the same bytes, so
 * that a changed page can be told from the one that was written.
 */
export function renderEvidenceHtml(records: readonly EvidenceRecord[], data: string): string {
  const head = headOf(records);
  const first = records[0]?.at ?? "";
  const last = records.at(-1)?.at ?? "";
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
<h1>Rollout evidence</h1>
<dl class="head">
<dt>Records</dt><dd>${head.count}, from ${escapeHtml(first)} to ${escapeHtml(last)}</dd>
<dt>Head</dt><dd><code>${head.hash}</code></dd>
</dl>
<p>Each record's hash covers the one before it. Check this file with
<code>rollout evidence verify FILE --head ${head.hash}</code>, with the head taken from where it was
noted at the time, not from this page.</p>
<ol class="records">
${records.map(renderRecord).join("\n")}
</ol>
</main>
${data}
</body>
</html>
`;
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --doubt: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --good: #4ac26b; --bad: #ff7b72; --doubt: #d4a72c } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre, time { font-family: ui-monospace, monospace; font-size: .85em }
code { overflow-wrap: anywhere }
pre { overflow: auto; max-height: 20rem; padding: .5rem; border: 1px solid var(--line); margin: .5rem 0 }
.head { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
.head dd { margin: 0 }
.records { list-style: none; padding: 0 }
.records > li { border-top: 1px solid var(--line); padding: .6rem 0 }
.records h2 { font-size: 1rem; margin: 0; display: inline }
.records time, .hash { color: #888 }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line) }
.pass { color: var(--good) } .fail { color: var(--bad) } .inconclusive { color: var(--doubt) }
`;

function renderRecord(record: EvidenceRecord): string {
  const { sequence, at, kind, data, hash } = record;
  return `<li id="r${sequence}"><h2>${sequence}. ${escapeHtml(kind)}</h2> <time>${escapeHtml(at)}</time>
${renderData(data)}
<div class="hash"><code>${hash}</code></div></li>`;
}

const isChecks = listOf(isCheck);

/** Checks as a table, the rest as what it is. */
function renderData(data: Json): string {
  const fields = toFields(data);
  const { checks, ...others } = fields;
  const isTable = isChecks(checks);
  const rest = isTable ? others : fields;
  const lines = Object.entries(rest).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, undefined, 1);
    const isLong = text.includes("\n") || text.length > LINE_CHARACTERS_MAX;
    return isLong
      ? `<details><summary>${escapeHtml(name)}</summary><pre>${escapeHtml(text)}</pre></details>`
      : `<div>${escapeHtml(name)}: <code class="${classOf(text)}">${escapeHtml(text)}</code></div>`;
  });
  return [...lines, ...(isTable ? [renderChecks(checks)] : [])].join("\n");
}

/** Longer texts are folded away. */
const LINE_CHARACTERS_MAX = 200;

function renderChecks(checks: readonly Check[]): string {
  const rows = checks.map(({ id, title, verdict, observed, why, mend }) => {
    const reason =
      verdict === "pass" ? "" : `<br>why: ${escapeHtml(why)}<br>mend: ${escapeHtml(mend)}`;
    return `<tr><td class="${classOf(verdict)}">${escapeHtml(verdict)}</td><td><code>${escapeHtml(id)}</code></td><td>${escapeHtml(title)}: ${escapeHtml(observed)}${reason}</td></tr>`;
  });
  return `<table><thead><tr><th>Verdict</th><th>Check</th><th>Found</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;
}

function classOf(text: string): Verdict | "" {
  return isVerdict(text) ? text : "";
}

function toFields(data: Json): Readonly<Record<string, Json>> {
  const isMap = typeof data === "object" && data !== null && !Array.isArray(data);
  return isMap ? (data as Readonly<Record<string, Json>>) : { data };
}

function escapeHtml(text: string): string {
  return String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
