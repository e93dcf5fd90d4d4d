import { readFileSync } from "node:fs";
import { detectKind, lintFile } from "../../edge/lint/lint-file.ts";
import type { RolloutTopology } from "../rollout-config.ts";
import type { Check } from "../verdict.ts";
import type { Deployment } from "./deployment.ts";
import { doubtful, failed, passed } from "./finding.ts";

const SUBJECT = {
  id: "edge.config",
  title: "The edge's configuration",
  why: "a proxy accepts files in which a client can still say who it is",
};

/** More than this does not fit a line that people read; the linter itself shows all. */
const FINDINGS_MAX = 3;

/** Lints the files that configure the edge. */
export function checkEdgeConfig(
  files: readonly string[],
  { topology, front }: Pick<Deployment, "topology" | "front">,
): Check {
  if (front?.standsAlone === true) {
    return passed(SUBJECT, `none of yours: ${front.name} writes the header itself`);
  }
  if (files.length === 0) {
    return doubtful(SUBJECT, "no file is named", "name the edge's files: edge.config");
  }
  const linted = files.map((file) => lint(file, topology));
  const unread = linted.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  const findings = linted.flatMap((file) => file.findings);
  if (findings.length > 0) {
    const shown = findings.slice(0, FINDINGS_MAX);
    const more = findings.length - shown.length;
    const texts = shown.map(
      ({ file, line, rule, message }) => `${file}:${line} ${rule}: ${message}`,
    );
    const observed = `${texts.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
    return failed(SUBJECT, observed, findings[0]?.mend ?? "");
  }
  if (unread.length > 0) return doubtful(SUBJECT, unread.join("; "), "name readable files");
  return passed(SUBJECT, `${files.length} files without a finding, for topology ${topology}`);
}

function lint(file: string, topology: RolloutTopology) {
  const text = readText(file);
  const kind = text === undefined ? undefined : detectKind(file, text);
  if (text === undefined || kind === undefined) {
    const problem = `${file} ${text === undefined ? "cannot be read" : "is of no known kind"}`;
    return { findings: [], problem };
  }
  const { findings, notes } = lintFile(file, text, kind, topology);
  return { findings, problem: notes[0] };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
