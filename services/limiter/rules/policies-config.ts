import type { EnvReader } from "../../runtime/env.ts";

/** Which policies are applied, and to whom: the same for the limiter and for who stands in for it. */
export function readPoliciesConfig(env: EnvReader) {
  return {
    policiesFile: env.optional("LIMITER_POLICIES_FILE"),
    ipv6PrefixBits: env.integer("LIMITER_IPV6_PREFIX", { min: 32, max: 128, default: 64 }),
  };
}
