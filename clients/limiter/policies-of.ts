import { NEEDED_POLICIES } from "../../services/limiter/rules/needed-policies.ts";

/** The names of the policies that a service consumes. */
export function policiesOf(service: keyof typeof NEEDED_POLICIES): readonly string[] {
  return Object.keys(NEEDED_POLICIES[service]);
}
