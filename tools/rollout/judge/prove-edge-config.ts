import { readFileSync } from "node:fs";
import { detectKind, readDeclaredTopology } from "../../edge/lint/lint-file.ts";
import { failed } from "../../edge/probe/check.ts";
import { CannotProveError } from "../../edge/prove/cannot-prove-error.ts";
import type { ProveFinding } from "../../edge/prove/finding.ts";
import { proveFile } from "../../edge/prove/prove-file.ts";
import { isAsRendered } from "../../edge/rendered-seal.ts";
import { isInstalled, ProxyStartError, RUNNABLE_PROXIES } from "../../edge/start-proxy.ts";
import type { RolloutTopology } from "../settings/rollout-config.ts";
import type { Check } from "../terms/verdict.ts";

/** What came of running one file. */
type Outcome = { errors: readonly ProveFinding[]; text: string };

/** More than this does not fit a line that people read; `edge prove` shows all. */
const FINDINGS_MAX = 3;

/**
 * Adds to what the linter said of the edge's files what the real proxies do with them, where they
 * are installed. Files that are as rendered need no proof; one that cannot be run here is no fault.
 */
export async function proveEdgeConfig(
  linted: Check,
  files: readonly string[],
  topology: RolloutTopology,
  upstreams: readonly string[],
): Promise<Check> {
  if (linted.verdict === "fail") return linted;
  const outcomes: Outcome[] = [];
  for (const file of files) outcomes.push(...(await prove(file, topology, upstreams)));
  const errors = outcomes.flatMap((one) => one.errors);
  const [first] = errors;
  if (first !== undefined) {
    const { id, title, why } = linted;
    return failed({ id, title, why }, describe(errors), first.mend);
  }
  const observed = [linted.observed, ...outcomes.map(({ text }) => text)].join("; ");
  return { ...linted, observed };
}

function describe(errors: readonly ProveFinding[]): string {
  const shown = errors.slice(0, FINDINGS_MAX).map(({ rule, route, upstream, request, saw }) => {
    return `${rule}: on ${route}, of "${request}" ${upstream} saw "${saw}"`;
  });
  const more = errors.length - shown.length;
  return `${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

async function prove(
  file: string,
  topology: RolloutTopology,
  upstreams: readonly string[],
): Promise<Outcome[]> {
  const text = readText(file);
  if (text === undefined) return [];
  if (isAsRendered(text) && readDeclaredTopology(text) === topology) {
    return [{ errors: [], text: `${file} is as it was rendered` }];
  }
  const kind = detectKind(file, text);
  const proxy = RUNNABLE_PROXIES.find((known) => known === kind);
  if (proxy === undefined || !isInstalled(proxy)) return [];
  try {
    const { findings, requests } = await proveFile({ proxy, file, text, topology, upstreams });
    const errors = findings.filter(({ severity }) => severity === "error");
    return [{ errors, text: `${file} was proved with ${requests} requests through ${proxy}` }];
  } catch (error) {
    if (!(error instanceof CannotProveError) && !(error instanceof ProxyStartError)) throw error;
    const [reason] = error.message.split("\n", 1);
    return [{ errors: [], text: `${file} was not proved: ${reason}` }];
  }
}

/** The linter has said already what cannot be read. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
