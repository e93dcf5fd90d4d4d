import * as z from "zod";
import { checkContent } from "../../runtime/documents/check-content.ts";
import { mapSchema } from "../../runtime/documents/map-schema.ts";
import { atLine, type LineOf, nameOf, type Problem } from "../../runtime/documents/problem.ts";
import type { Policy } from "./policy.ts";
import { createPolicySchema, type PolicyOptions } from "./policy-schema.ts";

/** Everything that is wrong with a policies file, at once. */
export class PoliciesError extends Error {
  override name = "PoliciesError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], file?: string) {
    const where = file === undefined ? "" : ` in ${file}`;
    const lines = problems.map((problem) => `  ${problem}`);
    super(`invalid policies${where}:\n${lines.join("\n")}`);
    this.problems = problems;
  }
}

/** Policies by name. */
export type Policies = ReadonlyMap<string, Policy>;

/** Words joined by dots, at most as long as the proto allows. */
const NAME = /^(?=.{1,64}$)[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$/;

export type ParseOptions = PolicyOptions & {
  /** The lines of the text that the content was read from. */
  lineOf?: LineOf;
  /** The name of the file that the content was read from. */
  file?: string;
};

/** The schema of a whole policies file. */
export function createPoliciesSchema(options: PolicyOptions = {}) {
  const policies = z
    .record(z.string(), createPolicySchema(options), NONE_GIVEN)
    .refine((found) => Object.keys(found).length > 0, NONE_GIVEN)
    .superRefine(checkNames, { when: ({ issues }) => issues.every(({ path }) => path?.length) })
    .meta({
      description: "Policies by name: words joined by dots.",
      propertyNames: { pattern: NAME.source },
      minProperties: 1,
    });
  return mapSchema({ policies }, { notMap: "must have policies", unknownField: "unknown field" });
}

const NONE_GIVEN = "none given";

/** Tells of wrong names beside what is wrong with their policies. */
function checkNames(policies: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void {
  for (const name of Object.keys(policies)) {
    if (NAME.test(name)) continue;
    context.addIssue({ code: "custom", path: [name], message: "not a policy name" });
  }
}

/** Reads the content of a policies file; throws a PoliciesError that names every problem. */
export function parsePolicies(content: unknown, options: ParseOptions = {}): Policies {
  const fields = typeof content === "object" && !Array.isArray(content) ? content : {};
  const reading = checkContent(fields ?? {}, createPoliciesSchema(options), options.lineOf);
  if (reading.kind === "invalid") {
    throw new PoliciesError(reading.problems.map(formatProblem), options.file);
  }
  const policies = Object.entries(reading.value.policies);
  return new Map(policies.map(([name, policy]): [string, Policy] => [name, { name, ...policy }]));
}

/** `line 3: login.ip.limit: must be a whole number from 1 to 1000000000` */
export function formatProblem({ path, line, message }: Problem): string {
  const [, ...inPolicies] = path;
  const name = nameOf(path[0] === "policies" && inPolicies.length > 0 ? inPolicies : path);
  return atLine(line, name === "" ? message : `${name}: ${message}`);
}
