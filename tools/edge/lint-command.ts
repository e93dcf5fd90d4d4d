import { parseArgs } from "node:util";
import { type ExitCode, readChoice, type Terminal, UsageError } from "./command.ts";
import { type Finding, RULES } from "./lint/finding.ts";
import { detectKind, lintFile } from "./lint/lint-file.ts";
import { readFileOrRefuse } from "./load-config.ts";
import { findPreset, PRESET_NAMES } from "./presets.ts";
import { PROXIES } from "./render.ts";

const RULE_LINES = Object.entries(RULES).map(([rule, text]) => `  ${rule.padEnd(30)}${text}`);

export const LINT_HELP = `Usage: edge lint [--json] [--topology NAME] [--proxy NAME] FILE…

Finds the traps in proxy configurations that the proxies themselves accept. nginx and Caddy are
read with the files that they include. nginx and HAProxy are looked at in full; of Caddy and Envoy,
what concerns identity, routes and the rate limit filter. In environment files and manifests the
services' hops are compared with the topology.

  --topology NAME   what stands in front, as in render --help. Without it, what a file says in its
                    first lines, or else what it seems to be written for
  --proxy NAME      nginx, haproxy, caddy or envoy, where a file's name and text do not tell
  --json            one array: [{"file","line","rule","message","mend"}]
  -h, --help        this text

Exit codes: 0 clean, 1 findings, 2 usage or a file that cannot be read.

Rules:
${RULE_LINES.join("\n")}
`;

/** `edge lint`: prints what is wrong with configurations, and how to mend it. */
export function lintCommand(args: readonly string[], terminal: Terminal): ExitCode {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: "boolean" },
      topology: { type: "string" },
      proxy: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    terminal.write(LINT_HELP);
    return 0;
  }
  if (positionals.length === 0) throw new UsageError("lint needs a FILE");
  const topology = findPreset(
    readChoice("--topology", values.topology, PRESET_NAMES) ?? "",
  )?.topology;
  const proxy = readChoice("--proxy", values.proxy, PROXIES);
  const findings: Finding[] = [];
  for (const file of positionals) {
    const text = readFileOrRefuse(file);
    const kind = proxy ?? detectKind(file, text);
    if (kind === undefined) {
      throw new UsageError(`${file} is of no kind that is known here; --proxy names one`);
    }
    const linted = lintFile(file, text, kind, topology);
    findings.push(...linted.findings);
    for (const note of linted.notes) terminal.writeError(`note: ${note}\n`);
  }
  if (values.json === true) terminal.write(`${JSON.stringify(findings, undefined, 2)}\n`);
  else printFindings(findings, positionals.length, terminal);
  return findings.length > 0 ? 1 : 0;
}

function printFindings(findings: readonly Finding[], files: number, terminal: Terminal): void {
  const bold = (text: string) => (terminal.colours ? `\u001b[1m${text}\u001b[22m` : text);
  for (const { file, line, rule, message, mend } of findings) {
    terminal.write(`${file}:${line}: ${bold(rule)}\n  ${message}\n  mend: ${mend}\n`);
  }
  const plural = files === 1 ? "file" : "files";
  const count = findings.length === 1 ? "1 finding" : `${findings.length} findings`;
  terminal.write(`${findings.length === 0 ? "no findings" : count} in ${files} ${plural}\n`);
}
