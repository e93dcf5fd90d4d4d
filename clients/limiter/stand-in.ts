import type { Policies } from "../../services/limiter/rules/parse-policies.ts";
import { readPoliciesFile } from "../../services/limiter/rules/policies-file.ts";
import { readTextFile } from "../../services/runtime/read-text-file.ts";

/** The limiter's rules, which a process applies in its own memory while limits fail open. */
export type StandIn = { policies: Policies; ipv6PrefixBits: number };

/** Reads the limiter's rules; rejects when its policies file cannot be read or is invalid. */
export async function loadStandIn(config: {
  /** The built-in policies when unset. */
  policiesFile?: string | undefined;
  ipv6PrefixBits: number;
}): Promise<StandIn> {
  const { policiesFile, ipv6PrefixBits } = config;
  const policies = await readPoliciesFile(readTextFile, policiesFile, { ipv6PrefixBits });
  return { policies, ipv6PrefixBits };
}
