import pc from "picocolors";
import { type Finding, type Measured, mebibytes, sumOf } from "./finding.ts";
import type { HonestTally } from "./honest/honest-record.ts";

const NAME_WIDTH = 36;
const COUNTS_SHOWN = 6;
const SERVICES = ["auth", "limiter", "gateway"] as const;
const PREFIXES = ["portcullis-auth", "portcullis-limiter"] as const;

/** The columns of the table. */
export function tableHead(calm: HonestTally): string {
  const names = SERVICES.map((name) => name[0]).join("/");
  const columns = [
    "honest".padStart(7),
    "refused".padStart(8),
    "p99 ms".padStart(7),
    `MB most ${names}`.padStart(17),
    "live MB".padStart(13),
    "sockets most".padStart(16),
    "after".padStart(13),
    "backends".padStart(9),
  ];
  const refused = [...calm.refusals].map(([what, count]) => `; ${count} × ${what}`).join("");
  return [
    `calm: ${calm.calls} honest calls, ${refusedOf(calm)} refused, p99 ${calm.p99Ms} ms${refused}`,
    pc.bold(`  ${"attack".padEnd(NAME_WIDTH)}${columns.join("")}`),
  ].join("\n");
}

/** Returns one line per attack, and one more per broken bound. */
export function findingLines(finding: Finding): string[] {
  const { name, skipped, measured, broken, reason } = finding;
  if (skipped !== undefined) return [pc.yellow(`– ${name.padEnd(NAME_WIDTH)}skipped: ${skipped}`)];
  if (measured === undefined) return [pc.red(`✗ ${name}: nothing was measured`)];
  const mark = broken.length === 0 ? pc.green("✓") : pc.red("✗");
  const refused = refusedOf(measured.honest);
  return [
    `${mark} ${name.padEnd(NAME_WIDTH)}${columnsOf(measured)}`,
    ...broken.map((line) => pc.red(`    ${line}`)),
    ...(refused > 0 && reason !== undefined ? [pc.dim(`    refused because ${reason}`)] : []),
    ...countLines(measured),
  ];
}

function columnsOf(measured: Measured): string {
  const { honest, most, after, liveBytesAfter } = measured;
  const megabytes = (bytes: Readonly<Record<string, number>>) =>
    SERVICES.map((name) => mebibytes(bytes[name] ?? 0)).join("/");
  const sockets = (counts: Readonly<Record<string, number>>) =>
    SERVICES.map((name) => counts[name] ?? 0).join("/");
  return [
    String(honest.calls).padStart(7),
    String(refusedOf(honest)).padStart(8),
    String(honest.p99Ms).padStart(7),
    megabytes(most.rssBytes).padStart(17),
    megabytes(liveBytesAfter).padStart(13),
    sockets(most.sockets).padStart(16),
    sockets(after.sockets).padStart(13),
    PREFIXES.map((prefix) => sumOf(most.backends, prefix))
      .join("/")
      .padStart(9),
  ].join("");
}

/** Returns the most frequent results. */
function countLines({ counts }: Measured): string[] {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  if (sorted.length === 0) return [];
  const shown = sorted.slice(0, COUNTS_SHOWN).map(([what, count]) => `${count} × ${what}`);
  const more = sorted.length > COUNTS_SHOWN ? `, and ${sorted.length - COUNTS_SHOWN} more` : "";
  return [pc.dim(`    ${shown.join(", ")}${more}`)];
}

export function refusedOf({ refusals }: HonestTally): number {
  return [...refusals.values()].reduce((sum, count) => sum + count, 0);
}

/** Returns a line with the number of attacks that broke a bound. */
export function summaryLine(findings: readonly Finding[]): string {
  const broken = findings.filter(({ broken }) => broken.length > 0);
  const skipped = findings.filter(({ skipped }) => skipped !== undefined);
  const text = `${findings.length - skipped.length} attacks, ${broken.length} broke a bound`;
  const whole = skipped.length > 0 ? `${text}, ${skipped.length} skipped` : text;
  return broken.length === 0 ? pc.green(whole) : pc.red(whole);
}

/** Returns the report as JSON. */
export function findingsAsJson(calm: HonestTally, findings: readonly Finding[]): string {
  const plain = (_name: string, value: unknown) =>
    value instanceof Map ? Object.fromEntries(value) : value;
  return JSON.stringify({ calm, findings }, plain, 2);
}
