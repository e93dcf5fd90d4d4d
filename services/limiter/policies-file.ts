import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { type Policies, parsePolicies } from "./parse-policies.ts";

/** The policies every deployment has unless it brings its own file. */
const BUILT_IN_POLICIES_FILE = new URL("./policies.yaml", import.meta.url);

/** Reads a policies file, by default the built-in one; rejects with every problem named. */
export async function readPoliciesFile(
  file: string | URL = BUILT_IN_POLICIES_FILE,
): Promise<Policies> {
  return parsePolicies(parse(await readFile(file, "utf8")));
}
