import type { Finding, Rule } from "../finding.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";

/** A finding at a line, or at the line where a section begins. */
export function reportAt(
  at: HaproxyLine | HaproxySection,
  rule: Rule,
  message: string,
  mend: string,
): Finding {
  return { file: at.file, line: at.line, rule, message, mend };
}
