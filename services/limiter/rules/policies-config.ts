import type { EnvReader } from "../../runtime/env.ts";

/** The variables that choose the policies, for the limiter and its in-process stand-in. */
export function readPoliciesConfig(env: EnvReader) {
  return {
    policiesFile: env.optional("LIMITER_POLICIES_FILE"),
    ipv6PrefixBits: env.integer("LIMITER_IPV6_PREFIX", { min: 32, max: 128, default: 64 }),
  };
}
