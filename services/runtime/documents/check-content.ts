import type * as z from "zod";
import { inFileOrder, type LineOf, nameOf, type Path, type Problem } from "./problem.ts";

/** A value as its schema reads it, or everything that is wrong with it. */
export type Reading<Value> =
  | { kind: "valid"; value: Value }
  | { kind: "invalid"; problems: readonly Problem[] };

/** Checks a plain value; `lineOf` tells where the text has each part of it. */
export function checkContent<Schema extends z.ZodType>(
  content: unknown,
  schema: Schema,
  lineOf: LineOf = () => undefined,
): Reading<z.output<Schema>> {
  const result = schema.safeParse(content);
  if (result.success) return { kind: "valid", value: result.data };
  const found = result.error.issues.flatMap((issue) => toFindings(issue, []));
  const problems = found.map((finding) => ({ ...finding, line: lineOf(finding.path) }));
  return { kind: "invalid", problems: inFileOrder(withoutRepeats(problems)) };
}

type Finding = Omit<Problem, "line">;

function toFindings(issue: z.core.$ZodIssue, around: Path): Finding[] {
  const path = [...around, ...issue.path];
  const { message } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key], message, isUnknownField: true }));
  }
  if (issue.code !== "invalid_union") return [{ path, message }];
  return findClosest(issue, path) ?? [{ path, message }];
}

/** What is wrong by the one form of a union that fits so far that only its parts are wrong. */
function findClosest(union: z.core.$ZodIssueInvalidUnion, path: Path): Finding[] | undefined {
  return union.errors
    .map((issues) => issues.flatMap((issue) => toFindings(issue, path)))
    .find((found) => found.every((finding) => finding.path.length > path.length));
}

/** Leaves one message where a value breaks two bounds, or two items of a list break the same. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  const known = new Set<string>();
  return problems.filter(({ path, line, message }) => {
    const key = JSON.stringify([nameOf(path), line, message]);
    return !known.has(key) && known.add(key);
  });
}
