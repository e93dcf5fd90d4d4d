import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { type Policies, parsePolicies } from "./parse-policies.ts";

/** The policies every deployment has unless it brings its own file. */
const BUILT_IN_POLICIES_FILE = new URL("./policies.yaml", import.meta.url);

/**
 * Policies that services charge since they were first released without them. A file that was
 * written before does not name them, and gets the built-in ones: an upgrade must not refuse what
 * worked.
 */
const ADDED_POLICIES = [
  "login.account.known",
  "refresh.ip",
  "refresh.session",
  "revoke.ip",
  "credential.ip",
  "realtime.refresh.ip",
] as const;

/** Reads a policies file, by default the built-in one; rejects with every problem named. */
export async function readPoliciesFile(file?: string): Promise<Policies> {
  const builtIn = await read(BUILT_IN_POLICIES_FILE);
  if (file === undefined) return builtIn;
  const policies = new Map(await read(file));
  for (const name of ADDED_POLICIES) {
    const policy = builtIn.get(name);
    if (policy !== undefined && !policies.has(name)) policies.set(name, policy);
  }
  return policies;
}

async function read(file: string | URL): Promise<Policies> {
  return parsePolicies(parse(await readFile(file, "utf8")));
}
