import { PoliciesError } from "../../../services/limiter/parse-policies.ts";
import { readPoliciesConfig } from "../../../services/limiter/policies-config.ts";
import { readPoliciesFile } from "../../../services/limiter/policies-file.ts";
import { createEnvReader } from "../../../services/runtime/env.ts";
import type { Check } from "../verdict.ts";
import { failed, passed } from "./finding.ts";
import type { ServiceFacts } from "./gather-facts.ts";

/**
 * Whether the policies file that an environment file names would be accepted at the next start: by
 * the limiter, and by whoever stands in for it while limits fail open.
 */
export async function checkPolicies(facts: readonly ServiceFacts[]): Promise<Check[]> {
  const checks = facts.map(async ({ name, file }) => {
    if (file === undefined) return [];
    const { policiesFile, ipv6PrefixBits } = readPoliciesConfig(createEnvReader(file));
    if (policiesFile === undefined) return [];
    const subject = {
      id: `policies.${name}`,
      title: `Policies file of ${name}`,
      why: "without a policy that a service needs, everything that it limits is refused",
    };
    try {
      const policies = await readPoliciesFile(policiesFile, { ipv6PrefixBits });
      return [passed(subject, `${policies.size} policies`)];
    } catch (error) {
      if (!(error instanceof PoliciesError)) throw error;
      return [failed(subject, error.problems.join("; "), `correct ${policiesFile}`)];
    }
  });
  return (await Promise.all(checks)).flat();
}
