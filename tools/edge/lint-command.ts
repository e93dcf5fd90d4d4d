import { parseArgs } from "node:util";
import { type ExitCode, readChoice, type Terminal, UsageError } from "./command.ts";
import type { Topology } from "./edge-config.ts";
import { FILE_OPTIONS, readFileOptions } from "./file-options.ts";
import { RULES, type Severity, severityOf } from "./lint/finding.ts";
import { detectKind, type FileKind, type LintedFile, lintFile } from "./lint/lint-file.ts";
import { readFileOrRefuse } from "./load-config.ts";

const RULE_LINES = Object.entries(RULES).map(([rule, text]) => {
  return `  ${rule.padEnd(30)}${severityOf(rule) === "warning" ? "(warning) " : ""}${text}`;
});

export const LINT_HELP = `Usage: edge lint [--json] [--topology NAME] [--proxy NAME] [--upstream HOST:PORT]… FILE…

Finds the traps in proxy configurations that the proxies themselves accept. nginx and Caddy are
read with the files that they include. nginx and HAProxy are looked at in full; of Caddy and Envoy,
what concerns identity, routes and the rate limit filter. In environment files and manifests the
services' hops are compared with the topology. Of several applications in one file, only what leads
to Portcullis is judged: what a route with one of its paths leads to, and its ports and names.

  --topology NAME   what stands in front, as in render --help: what the files are meant for. Without
                    it, what a file says in its first lines, or else what it seems to be written
                    for: the output says what was assumed
  --upstream ADDRESS  an address, as the file names it, at which a service of Portcullis is; may be
                    given several times. Needed where neither paths, ports nor names tell
  --severity LEAST  error: leave warnings out, of the exit code as well
  --proxy NAME      nginx, haproxy, caddy or envoy, where a file's name and text do not tell
  --json            one array: [{"file","line","rule","message","mend","severity","places"}], and
                    "topology", the one that was judged by, where there is one. One finding is one
                    cause; "places" says how many it reaches
  -h, --help        this text

Exit codes: 0 clean, 1 findings, be they errors or warnings, 2 usage, a file that cannot be read, or
a file in which nothing is read here. What was not judged is a warning (not-followed,
include-not-read) or, where it is the whole of the routes, a note on standard error.

Rules:
${RULE_LINES.join("\n")}
`;

/** `edge lint`: prints what is wrong with configurations, and how to mend it. */
export function lintCommand(args: readonly string[], terminal: Terminal): ExitCode {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...FILE_OPTIONS, severity: { type: "string" } },
  });
  if (values.help === true) {
    terminal.write(LINT_HELP);
    return 0;
  }
  if (positionals.length === 0) throw new UsageError("lint needs a FILE");
  const { topology, proxy, upstreams } = readFileOptions(values);
  const least = readChoice("--severity", values.severity, SEVERITIES) ?? "warning";
  const linted = positionals.map((file) => lintNamed(file, proxy, topology, upstreams));
  const findings = linted
    .flatMap((one) => one.findings)
    .filter(({ severity }) => least === "warning" || severity === "error");
  const assumed = linted.flatMap((one, index) => {
    return one.assumed === undefined ? [] : [describeAssumed(positionals[index], one.assumed)];
  });
  const unread = linted.flatMap((one) => one.unread ?? []);
  const isJson = values.json === true;
  for (const note of linted.flatMap(({ notes }) => notes)) terminal.writeError(`note: ${note}\n`);
  for (const problem of unread) terminal.writeError(`edge lint: ${problem}\n`);
  if (isJson) {
    for (const text of assumed) terminal.writeError(`note: ${text}\n`);
    terminal.write(`${JSON.stringify(findings, undefined, 2)}\n`);
  } else {
    printFindings(findings, terminal);
    for (const text of assumed) terminal.write(`${text}\n`);
    if (unread.length < positionals.length) printSummary(findings, linted, terminal);
  }
  if (unread.length > 0) return 2;
  return findings.length > 0 ? 1 : 0;
}

const SEVERITIES: readonly Severity[] = ["error", "warning"];

function lintNamed(
  file: string,
  proxy: FileKind | undefined,
  topology: Topology | undefined,
  upstreams: readonly string[],
): LintedFile {
  let text: string;
  try {
    text = readFileOrRefuse(file);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // The other files are worth a look all the same.
    return { findings: [], notes: [], assumed: undefined, unread: error.message };
  }
  return lintFile(file, text, proxy ?? detectKind(file, text), topology, upstreams);
}

/** Reads `HOST:PORT` as a configuration would name it. */
function describeAssumed(file = "", topology: Topology): string {
  return `${file}: topology ${topology} is assumed: nothing says which it is, and --topology can`;
}

function printFindings(findings: LintedFile["findings"], terminal: Terminal): void {
  const bold = (text: string) => (terminal.colours ? `\u001b[1m${text}\u001b[22m` : text);
  for (const { file, line, rule, message, mend, severity, places } of findings) {
    const reach = places > 1 ? ` (in ${places} places)` : "";
    terminal.write(`${file}:${line}: ${severity}: ${bold(rule)}${reach}\n`);
    terminal.write(`  ${message}\n  mend: ${mend}\n`);
  }
}

function printSummary(
  findings: LintedFile["findings"],
  files: readonly LintedFile[],
  terminal: Terminal,
): void {
  const read = files.filter(({ unread }) => unread === undefined).length;
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.length - errors;
  const count =
    findings.length === 0
      ? "no findings"
      : `${plural(findings.length, "finding")} (${plural(errors, "error")}, ${plural(warnings, "warning")})`;
  terminal.write(`${count} in ${plural(read, "file")}\n`);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
