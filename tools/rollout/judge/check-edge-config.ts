import { readFileSync } from "node:fs";
import { isDoubt } from "../../edge/lint/finding.ts";
import { detectKind, lintFile, readDeclaredTopology } from "../../edge/lint/lint-file.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import type { Deployment } from "../../edge/probe/deployment.ts";
import { isAsRendered } from "../../edge/rendered-seal.ts";
import type { RolloutTopology } from "../settings/rollout-config.ts";
import type { Check } from "../terms/verdict.ts";

const SUBJECT = {
  id: "edge.config",
  title: "The edge's configuration",
  why: "a proxy accepts files in which a client can still say who it is",
};

/** More than this does not fit a line that people read; the linter itself shows all. */
const FINDINGS_MAX = 3;

/**
 * Lints the files that configure the edge. Errors fail the check, parts that could not be judged put
 * it in doubt, and other warnings hold nothing up: they are about headers that no service reads.
 */
export function checkEdgeConfig(
  files: readonly string[],
  { topology, front }: Pick<Deployment, "topology" | "front">,
  upstreams: readonly string[] = [],
): Check {
  if (front?.standsAlone === true) {
    return passed(SUBJECT, `none of yours: ${front.name} writes the header itself`);
  }
  if (files.length === 0) {
    return doubtful(SUBJECT, "no file is named", "name the edge's files: edge.config");
  }
  const linted = files.map((file) => lint(file, topology, upstreams));
  const findings = linted.flatMap((file) => file.findings);
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return failed(SUBJECT, describe(errors), errors[0]?.mend ?? "");
  const unread = linted.flatMap(({ problems }) => problems);
  const doubts = findings.filter(isDoubt);
  if (unread.length > 0 || doubts.length > 0) {
    const observed = [...unread, ...(doubts.length > 0 ? [describe(doubts)] : [])].join("; ");
    return doubtful(SUBJECT, observed, doubts[0]?.mend ?? UNREAD_MEND);
  }
  const observed = `${files.length} files without an error, for topology ${topology}`;
  if (findings.length === 0) return passed(SUBJECT, observed);
  return passed(SUBJECT, `${observed}; warnings: ${describe(findings)}`);
}

const UNREAD_MEND =
  "name the configuration of nginx, HAProxy, Caddy or Envoy that clients meet in edge.config, or rely on probe, which asks the running edge";

type Problem = { file: string; line: number; rule: string; message: string };

function describe(findings: readonly Problem[]): string {
  const shown = findings.slice(0, FINDINGS_MAX);
  const more = findings.length - shown.length;
  const texts = shown.map(({ file, line, rule, message }) => `${file}:${line} ${rule}: ${message}`);
  return `${texts.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

function lint(file: string, topology: RolloutTopology, upstreams: readonly string[]) {
  const text = readText(file);
  if (text === undefined) return { findings: [], problems: [`${file} cannot be read`] };
  // The hash says that nobody changed it: what the renderers write has no trap.
  if (isAsRendered(text) && readDeclaredTopology(text) === topology) {
    return { findings: [], problems: [] };
  }
  const kind = detectKind(file, text);
  const { findings, notes, unread } = lintFile(file, text, kind, topology, upstreams);
  return { findings, problems: [...(unread === undefined ? [] : [unread]), ...notes] };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
