import { atLine, type LineOf } from "../../runtime/documents/problem.ts";
import type { Policies } from "./parse-policies.ts";
import type { Policy } from "./policy.ts";

/** The kind of key that a service sends. A policy whose key is `text` takes every kind. */
type Asks = { key: Policy["key"]; holdsPlaces?: boolean };

/** The policies that each service asks for. Without one of them it could serve nobody. */
export const NEEDED_POLICIES = {
  auth: {
    "login.ip": { key: "address" },
    "login.account.network": { key: "address_and_text" },
    "login.account": { key: "text" },
    "login.account.known": { key: "text" },
    "refresh.ip": { key: "address" },
    "refresh.session": { key: "text" },
    "mint.user": { key: "text" },
    "mint.public.ip": { key: "address" },
    "revoke.ip": { key: "address" },
    "credential.ip": { key: "address" },
    "introspect.caller": { key: "text" },
    "revocations.caller": { key: "text" },
  },
  gateway: {
    "realtime.connect.ip": { key: "address" },
    "realtime.connections.ip": { key: "address", holdsPlaces: true },
    "realtime.subscribe.public.ip": { key: "address" },
    "realtime.subscribe.public.datasource": { key: "text" },
    "realtime.refresh.ip": { key: "address" },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Asks>>>>;

/** Names each policy that a service needs and that is missing or cannot work for it. */
export function findMissingPolicies(policies: Policies, lineOf: LineOf): string[] {
  return Object.entries<Readonly<Record<string, Asks>>>(NEEDED_POLICIES).flatMap(
    ([service, needs]) =>
      Object.entries(needs).flatMap(([name, asks]) => {
        const policy = policies.get(name);
        if (policy === undefined) return [`${name}: is missing, and needed (${service})`];
        return Object.entries(findProblems(policy, asks)).map(([field, problem]) => {
          const line = lineOf(["policies", name, field]);
          return atLine(line, `${name}.${field}: ${problem} (${service})`);
        });
      }),
  );
}

/** The problems of one policy, by field. */
function findProblems(policy: Policy, { key, holdsPlaces = false }: Asks): Record<string, string> {
  const isConcurrency = policy.algorithm === "concurrency";
  return {
    ...(policy.key !== key &&
      policy.key !== "text" && { key: `must be ${key} or text, with which it is asked for` }),
    ...(isConcurrency &&
      !holdsPlaces && { algorithm: "must not be concurrency, since nobody gives places back" }),
    ...(!isConcurrency &&
      holdsPlaces && { algorithm: "must be concurrency, since places are held and given back" }),
  };
}
