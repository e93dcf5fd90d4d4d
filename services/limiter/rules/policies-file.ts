import { parseDocument } from "../../runtime/documents/parse-document.ts";
import type { ReadText } from "../../runtime/read-text-file.ts";
import { findMissingPolicies } from "./needed-policies.ts";
import { formatProblem, type Policies, PoliciesError, parsePolicies } from "./parse-policies.ts";
import type { PolicyOptions } from "./policy-schema.ts";

/** The policies every deployment has unless it brings its own file. */
const BUILT_IN_POLICIES_FILE = new URL("../policies.yaml", import.meta.url);

/**
 * Policies that a later release of a service began to charge. A file that was written before does
 * not name them and gets the built-in ones, so that an upgrade refuses no file that worked.
 */
const ADDED_POLICIES = [
  "login.account.known",
  "refresh.ip",
  "refresh.session",
  "revoke.ip",
  "credential.ip",
  "realtime.refresh.ip",
] as const;

/**
 * Reads a policies file, by default the built-in one. Rejects with every problem named; policies
 * that a service needs and the file lacks are among them.
 */
export async function readPoliciesFile(
  readText: ReadText,
  file?: string,
  options: PolicyOptions = {},
): Promise<Policies> {
  const builtIn = parsePolicies(parseDocument(await readText(BUILT_IN_POLICIES_FILE)).content);
  if (file === undefined) return builtIn;
  const { content, lineOf, problems } = parseDocument(await readOrRefuse(readText, file));
  if (problems.length > 0) throw new PoliciesError(problems.map(formatProblem), file);
  const policies = new Map(parsePolicies(content, { ...options, lineOf, file }));
  for (const name of ADDED_POLICIES) {
    const policy = builtIn.get(name);
    if (policy !== undefined && !policies.has(name)) policies.set(name, policy);
  }
  const missing = findMissingPolicies(policies, lineOf);
  if (missing.length > 0) throw new PoliciesError(missing, file);
  return policies;
}

async function readOrRefuse(readText: ReadText, file: string): Promise<string> {
  try {
    return await readText(file);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new PoliciesError([`LIMITER_POLICIES_FILE: cannot be read: ${problem}`], file);
  }
}
