import { limiterKeyOf } from "../../services/limiter/rules/limiter-key.ts";
import type { BucketRequest } from "./bucket-request.ts";

/** Whose share of the way to the limiter a request takes: a kind of work, and a key within it. */
export type Share = { className: string; key: string };

/** Class names are bounded: they come from the policies that a service announces. */
const CLASSES_MAX = 16;
/** The class of every policy that was not announced. */
const OTHER = "other";

/** What the gateway needs to keep streams alive goes before what anybody on the internet can ask. */
const WEIGHTS: Readonly<Record<string, number>> = {
  revocations: 8,
  introspect: 8,
  "realtime.connections": 4,
  "realtime.connect": 2,
  "realtime.subscribe": 2,
  refresh: 2,
  mint: 2,
};
const WEIGHT_DEFAULT = 1;

/** The part of an IPv6 address that one customer gets at most: rotating within it gains nothing. */
const IPV6_SHARE_BITS = 48;

/** Names a share, unlike any other. */
export function shareName({ className, key }: Share): string {
  return `${className}\n${key}`;
}

/** How much of a contended resource a class gets, in proportion to the others. */
export function weightOf(className: string): number {
  return WEIGHTS[className] ?? WEIGHT_DEFAULT;
}

/**
 * Creates the function that sorts requests by their first bucket: the class is what its policy's
 * name begins with, the key is its key. IPv6 addresses share the key of their network.
 */
export function createShares(
  policies: readonly string[],
): (buckets: readonly BucketRequest[]) => Share {
  const classes = [...new Set(policies.map(prefixOf))].slice(0, CLASSES_MAX - 1);
  const known = new Set(classes);
  const classOf = (policy: string) => {
    const prefix = prefixOf(policy);
    return known.has(prefix) ? prefix : OTHER;
  };
  const byPolicy = new Map(policies.map((policy) => [policy, classOf(policy)]));
  return ([first]) => {
    if (first === undefined) return { className: OTHER, key: "" };
    const key = keyOf(first.key);
    return {
      className: byPolicy.get(first.policy) ?? classOf(first.policy),
      key: first.doubtful === true ? `doubtful ${key}` : key,
    };
  };
}

/** `login.account` is login; what is realtime differs by its second word. */
function prefixOf(policy: string): string {
  const [first = "", second] = policy.split(".", 2);
  return first === "realtime" && second !== undefined ? `${first}.${second}` : first;
}

function keyOf(key: string): string {
  if (!key.includes(":")) return key;
  return limiterKeyOf(key, IPV6_SHARE_BITS) ?? key;
}
