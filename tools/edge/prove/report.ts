import type { Observation, ProveFinding } from "./finding.ts";
import type { Proof } from "./prove-file.ts";
import { valuesOf } from "./recorder.ts";

const COLUMNS = ["listener", "host", "route", "upstream", "X-Forwarded-For", "X-Real-IP", "proto"];

/** A proof as a table of what honest requests became, and then what is wrong. */
export function formatProof(proof: Proof, hasColours: boolean): string {
  const { file, proxy, topology, requests, routes, findings, notes } = proof;
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const found =
    findings.length === 0
      ? "no findings"
      : `${count(findings.length, "finding")} (${count(errors, "error")}, ${count(findings.length - errors, "warning")})`;
  return [
    `${file}: ${proxy} as topology ${topology}`,
    "",
    ...formatTable([COLUMNS, ...routes.flatMap(rowsOf)]),
    "",
    ...findings.flatMap((one) => formatFinding(one, hasColours)),
    ...notes.map((note) => `note: ${note}`),
    `${found} after ${requests} requests`,
    "",
  ].join("\n");
}

const IDENTITY_HEADERS = ["X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto"];

/** A proof for programs: of what upstreams saw, the headers that say who the client is. */
export function toJson({ routes, ...proof }: Proof) {
  return {
    ...proof,
    routes: routes.map(({ reached, ...observation }) => ({
      ...observation,
      reached: reached.map(({ upstream, recorded }) => ({
        upstream,
        requestLine: recorded.requestLine,
        headers: Object.fromEntries(
          IDENTITY_HEADERS.map((name) => [name, valuesOf(recorded, name)]),
        ),
      })),
    })),
  };
}

/** One row for each upstream that the honest request of a route reached. */
function rowsOf({ listener, host, route, reached }: Observation): string[][] {
  return reached.map(({ upstream, recorded }) => {
    const seen = IDENTITY_HEADERS.map((name) => valuesOf(recorded, name).join(" | ") || "-");
    return [listener, host, route, upstream, ...seen];
  });
}

function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = COLUMNS.map((_, column) => {
    return Math.max(...rows.map((row) => row[column]?.length ?? 0));
  });
  return rows.map((row) => {
    return row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  });
}

function formatFinding(finding: ProveFinding, hasColours: boolean): string[] {
  const { rule, severity, route, host, upstream, request, saw, message, mend, places } = finding;
  const name = hasColours ? `\u001b[1m${rule}\u001b[22m` : rule;
  const reach = places > 1 ? ` (on ${places} paths)` : "";
  return [
    `${severity}: ${name}: ${route} at ${host}${reach}`,
    `  sent: ${request}`,
    `  ${upstream} saw: ${saw}`,
    `  ${message}`,
    `  mend: ${mend}`,
  ];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
